// Package progress tells whoever waits at a terminal what is being done.
package progress

import (
	"context"
	"fmt"
	"io"
	"time"
)

// patience is when a step that takes long first says so; then it does after
// twice the time, and so on.
const patience = 15 * time.Second

// Step announces on w what is done, does it, and says how long it took if that
// was noticeable. While it lasts a sign of life is written now and then, from
// another goroutine.
func Step(w io.Writer, what string, do func() error) error {
	fmt.Fprintf(w, "==> %s\n", what)
	start := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for d := patience; ; d *= 2 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(start.Add(d))):
				fmt.Fprintf(w, "    %s: %v so far\n", what, d)
			}
		}
	}()
	err := do()
	cancel()
	<-done
	if d := time.Since(start); err == nil && d > time.Second {
		fmt.Fprintf(w, "    done in %v\n", d.Round(time.Second/10))
	}
	return err
}
