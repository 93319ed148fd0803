import type { CollectionConfig } from 'payload'

import { mediaDir } from '../env'

export const Media: CollectionConfig = {
  slug: 'media',
  access: { read: () => true },
  upload: {
    staticDir: mediaDir,
    // No SVG: it can carry scripts, and it would be served from the site's own origin.
    mimeTypes: ['image/avif', 'image/gif', 'image/jpeg', 'image/png', 'image/webp'],
    imageSizes: [{ name: 'thumbnail', width: 480 }],
    adminThumbnail: 'thumbnail',
  },
  fields: [{ name: 'alt', type: 'text' }],
}
