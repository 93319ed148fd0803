import { withPayload } from '@payloadcms/next/withPayload'
import type { NextConfig } from 'next'

const nextConfig: NextConfig = {
  output: 'standalone',
  poweredByHeader: false,
  images: {
    localPatterns: [{ pathname: '/api/media/file/**', search: '' }],
    // The default is half of the free disk; in the container the cache lives in memory.
    maximumDiskCacheSize: 64 * 1024 * 1024,
  },
}

export default withPayload(nextConfig)
