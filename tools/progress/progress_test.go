package progress

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStep(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		took time.Duration
		err  error
		want string
	}{
		{0, nil, "==> work\n"},
		{14 * time.Second, nil, "==> work\n    done in 14s\n"},
		{14 * time.Second, broken, "==> work\n"},
		{61500 * time.Millisecond, nil,
			"==> work\n    work: 15s so far\n    work: 30s so far\n    work: 1m0s so far\n    done in 1m1.5s\n"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			err := Step(&out, "work", func() error { time.Sleep(tt.took); return tt.err })
			if err != tt.err || out.String() != tt.want {
				t.Errorf("%v: %v, %q; want %v, %q", tt.took, err, out.String(), tt.err, tt.want)
			}
		})
	}
}
