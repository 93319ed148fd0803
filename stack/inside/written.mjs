// DIRECTORY : tells the files that differ from those of the application, or are new, and hands them out.
//
//   {"name": ..., "size": bytes, "was": sha256 or null} + as many bytes, for each; then {"end": true}
import path from 'node:path'

const [directory] = process.argv.slice(1)

function* files(below) {
  for (const found of fs.readdirSync(below, { withFileTypes: true })) {
    const file = path.join(below, found.name)
    if (found.isDirectory()) yield* files(file)
    else if (found.isFile()) yield file
  }
}

run(() => {
  for (const file of fs.existsSync(directory) ? files(directory) : []) {
    const name = path.relative(directory, file)
    const was = fs.existsSync(name) ? sum(name) : null
    if (was === sum(file)) continue
    const bytes = fs.readFileSync(file)
    tell({ name, size: bytes.length, was })
    write(bytes)
  }
  tell({ end: true })
})
