import config from '@payload-config'
import { getPayload } from 'payload'

import { PostEntry } from '@/components/PostEntry'

export const dynamic = 'force-dynamic'

const NEWEST = 50

export default async function Page() {
  const payload = await getPayload({ config })
  const { docs: posts } = await payload.find({
    collection: 'posts',
    depth: 1,
    limit: NEWEST,
    overrideAccess: false,
    pagination: false,
  })
  if (posts.length === 0) return <Welcome />
  return posts.map((post, index) => <PostEntry key={post.id} post={post} first={index === 0} />)
}

function Welcome() {
  return (
    <section className="welcome">
      <h2>Nothing here yet.</h2>
      <p>
        Log in at <a href="/admin">/admin</a>, write your first post and come back. The first visitor to
        that page creates the first account, so let it be you.
      </p>
    </section>
  )
}
