// DIRECTORY SECONDS NAME FLAG : lets Payload write a migration into a copy of the application.
//
// What it says is for people, and so are its questions.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const [directory, seconds, name, flag] = process.argv.slice(1)
const application = process.cwd()
const modules = path.join(application, 'node_modules')

if (!fs.existsSync(directory)) {
  fs.cpSync(application, directory, { recursive: true, filter: (file) => file !== modules })
  fs.symlinkSync(modules, path.join(directory, 'node_modules'))
}
spawnSync('node_modules/.bin/payload', ['migrate:create', name, flag], {
  cwd: directory,
  stdio: 'inherit',
  timeout: Number(seconds) * 1000,
  killSignal: 'SIGKILL',
})
