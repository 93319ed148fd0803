import Image from 'next/image'

import type { Media, Post } from '@/payload-types'

const day = new Intl.DateTimeFormat('en', { dateStyle: 'long', timeZone: 'UTC' })

export function PostEntry({ post, first }: { post: Post; first: boolean }) {
  return (
    <article>
      <time dateTime={post.createdAt}>{day.format(new Date(post.createdAt))}</time>
      <h2>{post.title}</h2>
      {typeof post.picture === 'object' && post.picture && <Picture media={post.picture} first={first} />}
      {post.body && <p className="body">{post.body}</p>}
    </article>
  )
}

function Picture({ media, first }: { media: Media; first: boolean }) {
  const { filename, width, height, alt } = media
  if (!filename || !width || !height) return null
  return (
    <Image
      // Relative on purpose: `media.url` names the public host, which the container would call from inside.
      src={`/api/media/file/${encodeURIComponent(filename)}`}
      alt={alt ?? ''}
      width={width}
      height={height}
      sizes="(max-width: 44rem) 100vw, 44rem"
      preload={first}
    />
  )
}
