// Inst is the program behind instctl(8), instinfo(8) and instps(1): which of them it is,
// is what it is called.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mult/userland/instcall"
)

func main() {
	commands := map[string]func() *cobra.Command{"instctl": instctl, "instinfo": instinfo, "instps": instps}
	name := filepath.Base(os.Args[0])
	command := commands[name]
	if command == nil {
		fmt.Fprintf(os.Stderr, "%s: it is called instctl, instinfo or instps\n", name)
		os.Exit(2)
	}
	c := command()
	c.SilenceErrors, c.SilenceUsage = true, true
	c.CompletionOptions.DisableDefaultCmd = true
	if err := c.Execute(); err != nil {
		var ended exit
		if errors.As(err, &ended) {
			os.Exit(ended.code())
		}
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		var e *instcall.Error
		if errors.As(err, &e) {
			os.Exit(1)
		}
		os.Exit(2)
	}
}
