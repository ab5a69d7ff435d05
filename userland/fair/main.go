// Fair measures how instances share the processors. All are below one of their own, so
// that this program, which is beside that one, has its share among a thousand, too.
//
//	fair even N SECONDS           N instances of the same weight with a program each
//	                              that computes
//	fair weights SECONDS W...     one instance for each weight
//	fair cap SECONDS PERCENT      one with a cap beside one without
//
// It prints one line with what it has measured, and ends the instances.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"mult/userland/instcall"
)

// top is the instance above the others.
const top = "fair"

// settle is how long nothing is measured: who did more than others when he was started
// waits for them.
const settle = 10 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fair:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	if len(args) < 3 {
		return errors.New("even N SECONDS, weights SECONDS W..., or cap SECONDS PERCENT")
	}
	numbers := make([]int, len(args)-1)
	for i, s := range args[1:] {
		if numbers[i], err = strconv.Atoi(s); err != nil || numbers[i] < 1 {
			return fmt.Errorf("%s is no number", s)
		}
	}
	// Settings of the instances, and of how many programs each has. So many can use all
	// processors.
	var settings []string
	hogs := 4
	seconds := numbers[0]
	switch args[0] {
	case "even":
		settings = make([]string, numbers[0])
		hogs, seconds = 1, numbers[1]
	case "weights":
		for _, w := range numbers[1:] {
			settings = append(settings, fmt.Sprintf("cpu.weight %d\n", w))
		}
	case "cap":
		settings = []string{fmt.Sprintf("cpu.cap %d\n", numbers[1]), ""}
	default:
		return fmt.Errorf("%s is nothing to measure", args[0])
	}

	if _, err := instcall.Create(top, "limit.instances 10000\n", true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, instcall.Kill(top)) }()
	if err := start(settings, hogs); err != nil {
		return err
	}
	fmt.Printf("fair: %d instances compute\n", len(settings))
	time.Sleep(settle)
	used, took, err := measure(len(settings), time.Duration(seconds)*time.Second)
	if err != nil {
		return err
	}
	switch args[0] {
	case "even":
		spread("CPU time", used)
	case "weights":
		for i, w := range numbers[1:] {
			used[i] /= float64(w)
		}
		spread("CPU time by weight", used)
	case "cap":
		fmt.Printf("fair: with a cap of %d percent: %.2f percent\n", numbers[1], 100*used[0]/took)
	}
	return nil
}

// name is that of the i-th instance.
func name(i int) string { return fmt.Sprintf("n%d", i) }

// start makes an instance for each settings, with some programs, and waits until all
// compute.
func start(settings []string, hogs int) error {
	var out []*os.File
	for i, s := range settings {
		path := top + "/" + name(i)
		if _, err := instcall.Create(path, s, true); err != nil {
			return err
		}
		for range hogs {
			p, err := instcall.Exec(path, "/bin/sh", []string{"sh", "-c", "echo; while :; do :; done"}, nil, false)
			if err != nil {
				return err
			}
			p.In.Close()
			p.Err.Close()
			out = append(out, p.Out)
		}
	}
	for _, f := range out {
		if _, err := f.Read(make([]byte, 1)); err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

// measure returns how much CPU time each of n instances has in d, and how long that really
// was, in seconds. While the times are read they stand still.
func measure(n int, d time.Duration) (used []float64, took float64, err error) {
	first, err := read()
	if err != nil {
		return nil, 0, err
	}
	if err := instcall.Resume(top); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	time.Sleep(d)
	err = instcall.Suspend(top)
	took = time.Since(began).Seconds()
	if err != nil {
		return nil, 0, err
	}
	fmt.Println("fair: measured")
	last, err := read()
	for i := range n {
		used = append(used, (last[name(i)] - first[name(i)]).Seconds())
	}
	return used, took, err
}

// read reads the CPU time of those below top, which are suspended then.
func read() (map[string]time.Duration, error) {
	if in, err := instcall.Get(top); err != nil {
		return nil, err
	} else if in.State != "suspended" {
		if err := instcall.Suspend(top); err != nil {
			return nil, err
		}
	}
	time.Sleep(50 * time.Millisecond) // they come out of their programs
	list, err := instcall.List(top)
	used := make(map[string]time.Duration)
	for _, in := range list {
		used[in.Name] = in.User + in.System
	}
	return used, err
}

// spread prints the least and the most of values as parts of their mean, and how many are
// far off it.
func spread(what string, values []float64) {
	sum, least, most := 0.0, values[0], values[0]
	for _, v := range values {
		sum, least, most = sum+v, min(least, v), max(most, v)
	}
	mean, far := sum/float64(len(values)), 0
	for _, v := range values {
		if v < 0.75*mean || v > 1.25*mean {
			far++
		}
	}
	fmt.Printf("fair: %s of %d instances: %.3f to %.3f of the mean\n", what, len(values), least/mean, most/mean)
	fmt.Printf("fair: %d of %d are more than a quarter off\n", far, len(values))
}
