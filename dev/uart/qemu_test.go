//go:build !tamago

package uart

import (
	"bytes"
	"io"
	"testing"
	"time"

	"mult/dev/internal/qtest"
)

// TestQEMU talks through the serial ports of real machines.
func TestQEMU(t *testing.T) {
	for _, machine := range []string{"microvm", "q35"} {
		t.Run(machine, func(t *testing.T) {
			m := qtest.Start(t, "-M", machine)
			u := &UART{Ports: m, Base: base}
			if err := (&UART{Ports: m, Base: 0x2f8}).Init(115200); err != ErrAbsent {
				t.Errorf("a port that isn't there: %v", err)
			}
			if err := u.Init(115200); err != nil {
				t.Fatal(err)
			}
			_ = m.Serial.SetDeadline(time.Now().Add(30 * time.Second))
			expect := func(want []byte) {
				t.Helper()
				got := make([]byte, len(want))
				if _, err := io.ReadFull(m.Serial, got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("sent %q, %v, want %q", got, err, want)
				}
			}
			// Skip what firmware says on microvm.
			mark := []byte("\x00mark\x00")
			u.WritePolled(mark)
			for tail := make([]byte, 0, 4096); !bytes.HasSuffix(tail, mark); {
				var c [1]byte
				if _, err := io.ReadFull(m.Serial, c[:]); err != nil {
					t.Fatal(err)
				}
				tail = append(tail, c[0])
			}

			m.Intercept("ioapic")
			u.Start()
			stop := make(chan struct{})
			defer close(stop)
			go func() { // waits for ever if it comes after Panic
				for {
					select {
					case i := <-m.IRQs:
						if i.Line == 4 && i.High {
							u.Interrupt()
						}
					case <-stop:
						return
					}
				}
			}()
			text := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog.\r\n"), 150)
			go func() { // the socket holds only some of it
				if n, err := u.Write(text); n != len(text) || err != nil {
					t.Errorf("Write = %d, %v", n, err)
				}
			}()
			expect(text)
			if err := u.Flush(); err != nil {
				t.Error(err)
			}
			go func() { _, _ = m.Serial.Write(text) }()
			got := make([]byte, len(text))
			if _, err := io.ReadFull(u, got); err != nil || !bytes.Equal(got, text) {
				t.Errorf("received %q, %v", got, err)
			}
			if s := u.Stats(); s.Overruns != 0 || s.Polling || s.Received != uint64(len(text)) {
				t.Errorf("%+v", s)
			} else {
				t.Logf("%+v", s)
			}
			if _, err := u.Write([]byte("last words")); err != nil {
				t.Error(err)
			}
			u.Panic()
			u.WritePolled([]byte(", panic"))
			expect([]byte("last words, panic"))
		})
	}
}
