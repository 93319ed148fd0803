import type { CollectionConfig } from 'payload'

import { serverURL } from '../env'

export const Users: CollectionConfig = {
  slug: 'users',
  admin: { useAsTitle: 'email' },
  auth: {
    cookies: {
      sameSite: 'Lax',
      secure: serverURL.startsWith('https:'),
    },
  },
  fields: [],
}
