// What must be there before the site answers anybody. One line on stderr, because it is read in a log.
if (process.env.NODE_ENV === 'production' && !process.env.PAYLOAD_SECRET) {
  console.error('error: PAYLOAD_SECRET is missing or empty; generate one with: openssl rand -hex 32')
  process.exit(1)
}
