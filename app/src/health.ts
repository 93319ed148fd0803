import { stat } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'

import config from '@payload-config'
import { getPayload } from 'payload'

import { databaseURL } from './env'

const PATIENCE_MS = 4000

let openedFile: number | undefined

// The first question after a start waits for the migrations, which the connection runs before it answers.
async function readDatabase(): Promise<void> {
  const payload = await getPayload({ config })
  await payload.find({ collection: 'posts', depth: 0, limit: 1, pagination: false })
  await checkFile()
}

// An open connection goes on reading, and writing, a file that was deleted or replaced under it.
// The file is never opened here: closing it would drop the locks that SQLite holds in this process.
async function checkFile(): Promise<void> {
  if (!databaseURL.startsWith('file:')) return
  const { ino, size } = await stat(databaseURL.slice('file:'.length))
  openedFile ??= ino
  if (ino !== openedFile) throw new Error('the database file was replaced while the site was running')
  if (size === 0) throw new Error('the database file is empty')
}

async function giveUp(signal: AbortSignal): Promise<never> {
  await setTimeout(PATIENCE_MS, undefined, { signal })
  throw new Error(`no answer from the database within ${PATIENCE_MS} ms`)
}

export async function databaseStatus(): Promise<'ok' | 'error'> {
  const timer = new AbortController()
  try {
    await Promise.race([readDatabase(), giveUp(timer.signal)])
    return 'ok'
  } catch (error) {
    console.error('health:', error instanceof Error ? error.message : error)
    return 'error'
  } finally {
    timer.abort()
  }
}
