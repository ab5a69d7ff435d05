//go:build tools

package toolchain

// Keeps the module in go.mod: locate.go reads these files, nothing links them.
import _ "github.com/usbarmory/tamago/goos"
