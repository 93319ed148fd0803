// LIMIT STEADY : asks the health route again and again: until it first answers 200, for LIMIT seconds at most, then each
// second, STEADY seconds more. Runs inside the application's container.
//
//   {"first": seconds or null, "answers": [status or reason, ...]}      the last of those asked
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'

const [limit, steady] = process.argv.slice(1).map(Number)
const address = `http://127.0.0.1:${process.env.PORT ?? 3000}${process.env.HEALTH_PATH ?? '/api/health'}`
const began = performance.now()
const passed = () => (performance.now() - began) / 1000

async function ask() {
  try {
    const answer = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(5000) })
    await answer.arrayBuffer()
    return answer.status
  } catch (trouble) {
    return String(trouble.cause?.code ?? trouble.name)
  }
}

let answers = [await ask()]
while (answers[0] !== 200 && passed() < limit) {
  await setTimeout(50) // visitors may be waiting
  answers = [await ask()]
}
const first = answers[0] === 200 ? passed() : null
for (let n = 0; first !== null && n < steady && answers.at(-1) === 200; n += 1) {
  await setTimeout(1000)
  answers.push(await ask())
}
console.log(JSON.stringify({ first, answers }))
