import path from 'node:path'

export const databaseURL = process.env.DATABASE_URI || process.env.DATABASE_URL || 'file:./payload.db'

export const mediaDir = process.env.MEDIA_DIR || path.resolve(process.cwd(), 'public/media')

// Payload compares it with the browser's Origin, which never ends with a slash.
export const serverURL = (process.env.NEXT_PUBLIC_SERVER_URL ?? '').replace(/\/+$/, '')
