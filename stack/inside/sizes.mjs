// Prints the bytes below each directory given as an argument, one number a line. Runs inside the application's container.
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

async function bytesBelow(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async (file) => (await lstat(join(file.parentPath, file.name)).catch(() => null))?.size ?? 0),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

for (const directory of process.argv.slice(1)) console.log(await bytesBelow(directory))
