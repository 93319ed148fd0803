import type { CollectionConfig } from 'payload'

export const Posts: CollectionConfig = {
  slug: 'posts',
  access: { read: () => true },
  admin: {
    useAsTitle: 'title',
    defaultColumns: ['title', 'picture', 'createdAt'],
  },
  defaultSort: '-createdAt',
  fields: [
    { name: 'title', type: 'text', required: true },
    { name: 'picture', type: 'upload', relationTo: 'media' },
    { name: 'body', type: 'textarea', admin: { rows: 12 } },
  ],
}
