package qemu

import (
	"errors"
	"testing"
)

func TestDecode(t *testing.T) {
	other := errors.New("any error")
	tests := []struct {
		code   int
		reason string
		want   Status
		err    error
	}{
		{0, "guest-shutdown", OK, nil},
		{3, "", TestFailure, nil},
		{5, "", Panic, nil},
		{5, "guest-shutdown", Panic, nil}, // as QEMU 9 reports the debug exit
		{255, "", 127, nil},
		{0, "guest-reset", 0, ErrReset},
		{0, "host-qmp-system-reset", 0, ErrReset},
		{0, "host-qmp-quit", 0, ErrQuit},
		{0, "", 0, ErrQuit},
		{1, "", 0, other},
		{134, "", 0, other},
	}
	for _, tt := range tests {
		got, err := decode(tt.code, tt.reason)
		ok := errors.Is(err, tt.err)
		if tt.err == other {
			ok = err != nil
		}
		if got != tt.want || !ok {
			t.Errorf("decode(%d, %q) = %v, %v; want %v, %v", tt.code, tt.reason, got, err, tt.want, tt.err)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
	}{
		{"no kernel", Config{Accel: TCG}},
		{"machine", Config{Kernel: "k", Accel: TCG, Machine: "pc"}},
		{"memory below a MiB", Config{Kernel: "k", Accel: TCG, Memory: 4096}},
		{"part of a MiB", Config{Kernel: "k", Accel: TCG, Memory: 64*MiB + 1}},
		{"negative CPUs", Config{Kernel: "k", Accel: TCG, CPUs: -1}},
		{"many CPUs", Config{Kernel: "k", Accel: TCG, CPUs: MaxCPUs + 1}},
		{"accelerator", Config{Kernel: "k", Accel: "hax"}},
	}
	for _, tt := range tests {
		if err := tt.cfg.complete(); err == nil {
			t.Errorf("%s: %+v was accepted", tt.name, tt.cfg)
		}
	}
}
