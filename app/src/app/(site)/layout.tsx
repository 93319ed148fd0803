import './site.css'

import type { Metadata } from 'next'
import type { ReactNode } from 'react'

export const metadata: Metadata = {
  title: 'Field Notes',
  description: 'A small site on Next.js, Payload and SQLite.',
}

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <header className="masthead">
          <h1>Field Notes</h1>
          <p>{metadata.description}</p>
        </header>
        <main>{children}</main>
        <footer>
          <a href="/admin">Write something</a>
        </footer>
      </body>
    </html>
  )
}
