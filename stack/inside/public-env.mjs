// public-env.mjs FILE -- COMMAND [ARGUMENT...]
//
// Runs COMMAND, which is `next build` or ends with it, with two things of a dotenv file and nothing else of it:
// - NEXT_PUBLIC_*, which Next.js writes into the code that browsers get;
// - NEXT_SERVER_ACTIONS_ENCRYPTION_KEY, without which every build gives the forms of the site new ids, so that
//   pages that are open during an update stop working. It is a secret, and Next.js leaves it in its manifests: a
//   random one takes its place there. The running site prefers the one of its environment.
// A FILE that does not exist holds nothing.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { parseEnv } from 'node:util'

const KEY = 'NEXT_SERVER_ACTIONS_ENCRYPTION_KEY'
const SHIPPED = ['.next/standalone/.next', '.next/static', 'public']

function variables(file) {
  const all = existsSync(file) ? Object.entries(parseEnv(readFileSync(file, 'utf8'))) : []
  return Object.fromEntries(
    all.filter(([name, value]) => name.startsWith('NEXT_PUBLIC_') || (name === KEY && value)),
  )
}

function run(command, parameters, environment) {
  const child = spawnSync(command, parameters, { stdio: 'inherit', env: { ...process.env, ...environment } })
  if (child.error) throw child.error
  return child.status ?? 128 + (constants.signals[child.signal] ?? 0)
}

function files(directory) {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
}

function forget(secret) {
  const replacement = randomBytes(32).toString('base64')
  for (const file of SHIPPED.flatMap(files)) {
    const content = readFileSync(file)
    if (!content.includes(secret)) continue
    if (!path.basename(file).startsWith('server-reference-manifest.')) {
      throw new Error(`${KEY} would be readable in ${file}`)
    }
    writeFileSync(file, content.toString().replaceAll(secret, replacement))
  }
}

const [file, separator, command, ...parameters] = process.argv.slice(2)
if (!command || separator !== '--') {
  console.error('usage: public-env.mjs FILE -- COMMAND [ARGUMENT...]')
  process.exit(2)
}

const environment = variables(file)
console.error(`from the environment file: ${Object.keys(environment).join(' ') || 'nothing'}`)
process.exitCode = run(command, parameters, environment)
if (environment[KEY]) forget(environment[KEY])
