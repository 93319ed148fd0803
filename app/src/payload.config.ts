import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { sqliteAdapter } from '@payloadcms/db-sqlite'
import { buildConfig } from 'payload'
import sharp from 'sharp'

import { Media } from './collections/Media'
import { Posts } from './collections/Posts'
import { Users } from './collections/Users'
import { databaseURL, serverURL } from './env'
import { migrations } from './migrations'

const here = path.dirname(fileURLToPath(import.meta.url))

export default buildConfig({
  secret: process.env.PAYLOAD_SECRET ?? '',
  serverURL,
  telemetry: false,
  graphQL: { disable: true },
  admin: {
    user: Users.slug,
    avatar: 'default', // Gravatar, the default, is told about everybody who logs in
    importMap: { baseDir: here },
  },
  collections: [Posts, Media, Users],
  db: sqliteAdapter({
    client: { url: databaseURL },
    // With WAL a backup may read while the site writes. Without a time-out, libsql goes on to
    // acknowledge writes that it never commits once it has met a locked database.
    wal: true,
    busyTimeout: 5000,
    migrationDir: path.resolve(here, 'migrations'),
    prodMigrations: migrations,
    push: process.env.NODE_ENV !== 'production',
  }),
  sharp,
  typescript: { outputFile: path.resolve(here, 'payload-types.ts') },
})
