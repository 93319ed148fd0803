"""Run a Next.js + Payload CMS site with SQLite on a VPS of your own."""

__version__ = "0.1.0"
