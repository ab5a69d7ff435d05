// Gotest is a static Go program that tests a kernel from Go's side: many
// goroutines and garbage collection, processes, signals, timers, files.
//
// It prints a line for each case, "ok NAME" or "FAIL NAME: text", and ends
// with status 0 if all passed. With arguments it runs the named cases only.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A test is one case. It works in an empty directory of its own.
type test struct {
	name string
	run  func(dir string) error
}

// limit is for one case. One that takes longer hangs.
const limit = 2 * time.Minute

func tests() []test {
	return slices.Concat(goroutineTests, processTests, signalTests, timerTests, fileTests)
}

func main() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "@") {
		os.Exit(helper(os.Args[1:]))
	}
	if !runAll(os.Args[1:]) {
		os.Exit(1)
	}
}

// runAll runs the named cases, or all, and reports whether they passed.
func runAll(names []string) bool {
	good, found := true, 0
	for _, t := range tests() {
		if len(names) > 0 && !slices.Contains(names, t.name) {
			continue
		}
		found++
		if err := runOne(t); err != nil {
			good = false
			fmt.Printf("FAIL %s: %s\n", t.name, strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Printf("ok %s\n", t.name)
		}
	}
	if found == 0 {
		fmt.Println("FAIL main: no such case")
	}
	return good && found > 0
}

func runOne(t test) (err error) {
	dir, err := os.MkdirTemp("", "gotest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	watch := time.AfterFunc(limit, func() {
		fmt.Printf("FAIL %s: takes longer than %v\n", t.name, limit)
		stacks := make([]byte, 64<<10)
		os.Stderr.Write(stacks[:runtime.Stack(stacks, true)])
		os.RemoveAll(dir)
		os.Exit(1)
	})
	defer watch.Stop()
	return t.run(filepath.Clean(dir))
}
