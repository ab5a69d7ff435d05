package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var signalTests = []test{
	{"notify", notify},
	{"notify-several", notifySeveral},
	{"notify-context", notifyContext},
	{"ignore", ignore},
	{"signals-under-load", signalsUnderLoad},
}

// kill signals this process.
func kill(s syscall.Signal) error { return syscall.Kill(os.Getpid(), s) }

func notify(string) error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	for range 100 {
		if err := kill(syscall.SIGUSR1); err != nil {
			return err
		}
		if s := <-c; s != syscall.SIGUSR1 {
			return fmt.Errorf("got %v", s)
		}
	}
	return nil
}

func notifySeveral(string) error {
	all := []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1,
		syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCHLD, syscall.SIGALRM, syscall.SIGPIPE, 40}
	c := make(chan os.Signal, len(all))
	for _, s := range all {
		signal.Notify(c, s)
	}
	defer signal.Reset()
	defer signal.Stop(c)
	for _, s := range all {
		if err := kill(s); err != nil {
			return err
		}
		for got := range c {
			if got == s {
				break
			}
			if got != syscall.SIGCHLD { // of a process that was here before
				return fmt.Errorf("got %v, want %v", got, s)
			}
		}
	}
	return nil
}

func notifyContext(string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := kill(syscall.SIGTERM); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func ignore(string) error {
	signal.Ignore(syscall.SIGTERM)
	defer signal.Reset(syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGTERM) {
		return fmt.Errorf("it isn't ignored")
	}
	return kill(syscall.SIGTERM)
}

// signalsUnderLoad interrupts sleeps, calls and computation.
func signalsUnderLoad(dir string) error {
	c := make(chan os.Signal, 10_000)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	stop := make(chan struct{})
	failed := make(chan error, 4)
	for i := range 4 {
		go func() {
			name := fmt.Sprintf("%s/%d", dir, i)
			for {
				select {
				case <-stop:
					failed <- nil
					return
				default:
				}
				if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
					failed <- err
					return
				}
				if text, err := os.ReadFile(name); err != nil || string(text) != name {
					failed <- fmt.Errorf("%q, %v", text, err)
					return
				}
				time.Sleep(10 * time.Microsecond)
			}
		}()
	}
	for range 500 {
		if err := kill(syscall.SIGUSR1); err != nil {
			return err
		}
		<-c
	}
	close(stop)
	for range 4 {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}
