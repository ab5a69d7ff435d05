//go:build tamago

package time

// A kernel keeps UTC; the zones of its users are their own programs' affair.

var platformZoneSources []string

func initLocal() {
	localLoc.name = "UTC"
}
