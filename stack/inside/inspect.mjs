// DATABASE : tells what a database holds, without changing it.
const [databasePath] = process.argv.slice(1)

run(() => {
  const journal_mode = journalMode(databasePath)
  tell({ facts: { ...opened(databasePath, facts), journal_mode } })
})
