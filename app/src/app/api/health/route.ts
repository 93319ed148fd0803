import { databaseStatus } from '@/health'

export const dynamic = 'force-dynamic'

export async function GET(): Promise<Response> {
  const database = await databaseStatus()
  return Response.json(
    { status: database, release: process.env.RELEASE || 'development', database },
    { status: database === 'ok' ? 200 : 503, headers: { 'cache-control': 'no-store' } },
  )
}
