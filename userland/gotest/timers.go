package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var timerTests = []test{
	{"sleep", sleep},
	{"timers", timers},
	{"ticker", ticker},
	{"timer-stop", timerStop},
	{"deadline", deadline},
	{"clock", clock},
}

// sleep: 100 goroutines, none of which wakes too early.
func sleep(string) error {
	var work sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		work.Go(func() {
			d := time.Duration(i) * time.Millisecond / 2
			start := time.Now()
			time.Sleep(d)
			if e := time.Since(start); e < d {
				errs[i] = fmt.Errorf("slept %v instead of %v", e, d)
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// timers: 1,000 at once; each fires once, not before its time.
func timers(string) error {
	type shot struct{ want, got time.Duration }
	shots := make(chan shot, 1000)
	start := time.Now()
	for i := range 1000 {
		d := time.Duration(i*7919%1000) * 50 * time.Microsecond
		time.AfterFunc(d, func() { shots <- shot{d, time.Since(start)} })
	}
	for range 1000 {
		if s := <-shots; s.got < s.want {
			return fmt.Errorf("fired after %v instead of %v", s.got, s.want)
		}
	}
	return nil
}

func ticker(string) error {
	start := time.Now()
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	for range 10 {
		<-t.C
	}
	if d := time.Since(start); d < 18*time.Millisecond {
		return fmt.Errorf("10 ticks of 2 ms took %v", d)
	}
	return nil
}

func timerStop(string) error {
	fired := make(chan bool, 1)
	t := time.AfterFunc(time.Hour, func() { fired <- true })
	if !t.Stop() {
		return fmt.Errorf("the timer has fired")
	}
	t.Reset(time.Millisecond)
	<-fired
	return nil
}

func deadline(string) error {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	return nil
}

func clock(string) error {
	last := time.Now()
	if last.Year() < 2020 {
		return fmt.Errorf("it is %v", last)
	}
	for range 100_000 {
		now := time.Now()
		if now.Before(last) {
			return fmt.Errorf("the clock went from %v to %v", last, now)
		}
		last = now
	}
	return nil
}
