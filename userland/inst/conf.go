package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mult/userland/instcall"
)

// This file reads the files that describe instances: instctl.conf(5).

// configDir has those that are known by name.
const (
	configDir = "/etc/inst"
	suffix    = ".conf"
)

// maxCount is how many instances one file can describe.
const maxCount = 100000

// isName reports whether an instance can have a name, which the kernel would tell only
// when it is too late to say where it is from.
func isName(s string) bool { return nameForm.MatchString(s) }

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9._-]{0,63}$`)

// A setting is one for the kernel: it alone knows which there are, and which values they
// can have.
type setting struct {
	at   string // file and line, for errors; "": the command line
	text string // its name, a space and the value
}

// settings makes some of arguments such as host=web.
func settings(args []string) ([]setting, error) {
	var list []setting
	for _, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if !ok || strings.ContainsAny(name, " \t\n") || strings.Contains(value, "\n") {
			return nil, fmt.Errorf("%q is no setting: write name=value", a)
		}
		list = append(list, setting{text: name + " " + value})
	}
	return list, nil
}

// say gives settings to the kernel by do. If it doesn't like one, the error tells where
// that is from.
func say(list []setting, do func(text string) error) error {
	var text strings.Builder
	for _, s := range list {
		text.WriteString(s.text + "\n")
	}
	err := do(text.String())
	var e *instcall.Error
	if !errors.As(err, &e) || e.Errno != syscall.EINVAL {
		return err
	}
	rest, _ := strings.CutPrefix(e.Text, "line ")
	line, why, _ := strings.Cut(rest, ": ")
	if n, bad := strconv.Atoi(line); bad == nil && n >= 1 && n <= len(list) && rest != e.Text {
		return &instcall.Error{Errno: e.Errno, Text: list[n-1].at + why}
	}
	return err
}

// A conf describes an instance, or several that differ in their names.
type conf struct {
	name      string // with a number behind it, if there are several
	parent    string // the names on the way to that which they are below; "": the caller's
	count     int    // 0: one, whose name is just name
	autostart bool
	settings  []setting
}

// named returns the description of an instance of which only its path is known.
func named(p string) *conf {
	up := above(p)
	return &conf{name: strings.TrimPrefix(p[len(up):], "/"), parent: up}
}

// paths returns where the instances are.
func (c *conf) paths() []string {
	at := path.Join(c.parent, c.name)
	if c.count == 0 {
		return []string{at}
	}
	list := make([]string, c.count)
	for i := range list {
		list[i] = at + strconv.Itoa(i+1)
	}
	return list
}

// read adds what a file says. An error tells the file, the line and the field.
func (c *conf) read(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return c.parse(file, string(text))
}

// parse is read, of the text of the file.
func (c *conf) parse(file, text string) error {
	seen := make(map[string]int)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		field, value := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			field, value = line[:i], strings.TrimSpace(line[i:])
		}
		at := fmt.Sprintf("%s:%d: ", file, n)
		if seen[field] != 0 {
			return fmt.Errorf("%s%s: it is in line %d already", at, field, seen[field])
		}
		seen[field] = n
		if err := c.set(field, value, at); err != nil {
			return fmt.Errorf("%s%s: %w", at, field, err)
		}
	}
	return nil
}

// set makes a field have a value. Those that aren't this program's are the kernel's.
func (c *conf) set(field, value, at string) (err error) {
	if value == "" {
		return errors.New("there is no value")
	}
	switch field {
	case "name":
		if !isName(value) {
			return fmt.Errorf("%q is no name for an instance: use letters, digits, - _ and . after a letter", value)
		}
		c.name = value
	case "parent":
		for name := range strings.SplitSeq(value, "/") {
			if !isName(name) {
				return fmt.Errorf("%q is no way to an instance: write names with / between them", value)
			}
		}
		c.parent = value
	case "count":
		if c.count, err = strconv.Atoi(value); err != nil || c.count < 1 || c.count > maxCount {
			return fmt.Errorf("%q is no number from 1 to %d", value, maxCount)
		}
	case "autostart":
		if value != "yes" && value != "no" {
			return fmt.Errorf("%q is neither yes nor no", value)
		}
		c.autostart = value == "yes"
	default:
		c.settings = append(c.settings, setting{at, field + " " + value})
	}
	return nil
}

// confOf returns the description of an instance: what the file says, which is that of its
// name in configDir if file is "". That one may be missing.
func confOf(p, file string) (*conf, error) {
	c := named(p)
	if file != "" {
		err := c.read(file)
		if p != "" { // the command line has the last word
			c.name, c.parent = named(p).name, named(p).parent
		} else if c.name == "" && err == nil {
			err = fmt.Errorf("%s: name: it is missing, and not on the command line either", file)
		}
		return c, err
	}
	if p == "" {
		return nil, errors.New("name an instance, or a file by -f")
	}
	err := c.read(path.Join(configDir, path.Clean("/"+p)+suffix))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		err = nil
	}
	return c, err
}

// autostarted returns the descriptions in dir of those that start by themselves, parents
// first. What is wrong with some files doesn't keep the others from being used.
func autostarted(dir string) ([]*conf, error) {
	var list []*conf
	var errs []error
	errs = append(errs, filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, suffix) {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		c := named(strings.TrimSuffix(rel, suffix))
		if err := c.read(file); err != nil {
			errs = append(errs, err)
		} else if c.autostart {
			list = append(list, c)
		}
		return nil
	}))
	slices.SortStableFunc(list, func(a, b *conf) int { return depth(a.paths()[0]) - depth(b.paths()[0]) })
	return list, errors.Join(errs...)
}

// above is the path of the instance that one is below; "": the caller's.
func above(p string) string { return p[:max(strings.LastIndexByte(p, '/'), 0)] }

// depth is how many instances there are on the way to one.
func depth(p string) int { return strings.Count(p, "/") }
