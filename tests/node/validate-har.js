// Reads an HTTP archive from standard input; prints what is wrong with it after HAR 1.2, and fails then.
const { createRequire } = require('module')
const { join } = require('path')

const { har } = createRequire(join(process.argv[2], 'package.json'))('har-validator')

har(JSON.parse(require('fs').readFileSync(0, 'utf8'))).catch((error) => {
  console.error(JSON.stringify(error.errors, null, 1))
  process.exit(1)
})
