// Next.js calls this once, when the server starts; never during a build.
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME === 'nodejs') await import('./requirements')
}
