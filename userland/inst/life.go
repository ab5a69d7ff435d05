package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mult/userland/instcall"
)

// This file begins and ends instances, many at once.

// create makes the instances that c describes, with more settings than there are in its
// file, and starts them if asked. One that is made already is just started. It ends at the
// first error.
func create(c *conf, more []setting, start bool) error {
	all := slices.Concat(c.settings, more)
	for _, p := range c.paths() {
		if start && len(more) == 0 {
			if in, err := instcall.Get(p); err == nil && in.State == "creating" {
				if err := instcall.Start(p); err != nil {
					return err
				}
				continue
			}
		}
		err := say(all, func(text string) error {
			_, err := instcall.Create(p, text, start)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// startAll starts what is to start by itself and isn't there. Without a directory that
// says so it means configDir, but only in inst0: other instances see the same files.
func startAll(dir string) error {
	if dir == "" {
		own, err := instcall.Get("")
		if err != nil || own.ID != 0 {
			return err
		}
		dir = configDir
	}
	list, err := autostarted(dir)
	errs := []error{err}
	for _, c := range list {
		for _, p := range c.paths() {
			in, err := instcall.Get(p)
			if err == nil && in.State != "creating" {
				continue
			}
			one := named(p)
			one.settings = c.settings
			if err := create(one, nil, true); err != nil {
				errs = append(errs, err)
				break // the others of this file would have the same
			}
		}
	}
	return errors.Join(errs...)
}

// end makes do end instances, all at once, and returns when they are gone. It goes on
// after errors. One that was found, not named, may have ended by itself.
func end(names []string, found func(name string) bool, do func(name string) error) error {
	var errs []error
	for len(names) > 0 {
		var watches []*instcall.Watch
		for len(names) > 0 {
			name := names[0]
			w, err := instcall.NewWatch(name)
			if len(watches) > 0 && (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) {
				break // first those for which there are descriptors
			}
			names = names[1:]
			if err == nil {
				watches = append(watches, w)
				err = do(name)
			}
			if !found(name) || !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, err)
			}
		}
		for _, w := range watches {
			_, err := w.Dead()
			errs = append(errs, err)
			w.Close()
		}
	}
	return errors.Join(errs...)
}

// levels returns the named instances and all below them: those that are deepest first,
// because an instance ends those below it when it ends.
func levels(names []string, list []instcall.Info) [][]string {
	var out [][]string
	known := make(map[string]bool)
	add := func(p string) {
		if known[p] {
			return
		}
		known[p] = true
		for len(out) <= depth(p) {
			out = append(out, nil)
		}
		out[depth(p)] = append(out[depth(p)], p)
	}
	for _, p := range names {
		add(p)
	}
	path := paths(list)
	for _, in := range list {
		p := path[in.ID]
		for up := p; up != ""; up = above(up) {
			if known[up] {
				add(p)
				break
			}
		}
	}
	slices.Reverse(out)
	return out
}

// stop has instances end in order, each level in the grace; found: nobody has named them.
func stop(names []string, found bool, grace time.Duration) error {
	list, err := instcall.List("")
	if err != nil {
		return err
	}
	given := make(map[string]bool)
	for _, p := range names {
		given[p] = !found
	}
	var errs []error
	for _, level := range levels(names, list) {
		errs = append(errs, end(level, func(p string) bool { return !given[p] }, func(p string) error {
			return instcall.Stop(p, grace)
		}))
	}
	return errors.Join(errs...)
}

// kept returns the settings by which a new instance becomes like one that there is. It is an
// error if they can't tell its root: with another one it would be another instance.
func kept(in instcall.Info) ([]setting, error) {
	var list []setting
	add := func(name, value string) { list = append(list, setting{text: name + " " + value}) }
	fits := func(s string) bool { return s != "" && s == strings.TrimSpace(s) && !strings.Contains(s, "\n") }
	for _, n := range []struct{ name, value string }{{"host", in.Host}, {"domain", in.Domain}} {
		if fits(n.value) { // root inside may have put anything into them, further lines too
			add(n.name, n.value)
		}
	}
	switch in.Root {
	case "", "image", "parent":
	default:
		if !path.IsAbs(in.Root) || !fits(in.Root) {
			return nil, fmt.Errorf("another instance has named the root of %s: restart it there, or with -f and a file that names its root", in.Name)
		}
		add("root", in.Root)
	}
	add("cpu.weight", strconv.FormatInt(in.Weight, 10))
	if in.Cap != nil {
		add("cpu.cap", strconv.FormatInt(*in.Cap, 10))
	}
	for name, u := range in.Uses {
		if u.Limit != nil {
			add("limit."+name, strconv.FormatInt(*u.Limit, 10))
		} else {
			add("limit."+name, "none")
		}
	}
	return list, nil
}

// restart stops an instance and starts it as it was, or as a file says.
func restart(name, file string, grace time.Duration) error {
	c := named(name)
	if file != "" {
		var err error
		if c, err = confOf(name, file); err != nil {
			return err
		}
		if c.count > 0 {
			return fmt.Errorf("%s: count: one instance is restarted by its name", file)
		}
	} else {
		in, err := instcall.Get(name)
		if err != nil {
			return err
		}
		if c.settings, err = kept(in); err != nil {
			return err
		}
	}
	if err := stop([]string{name}, false, grace); err != nil {
		return err
	}
	return create(c, nil, true)
}
