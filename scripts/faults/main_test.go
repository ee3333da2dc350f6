package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// house makes a module with one promise: Add adds. TestAdd holds it, TestWeak
// does not, TestRed is red whatever the code does.
func house(t *testing.T) *runner {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.test/house\n\ngo 1.26.0\n",
		"add.go": "package house\n\n// Add adds.\nfunc Add(a, b int) int { return a + b }\n\nfunc twice(a int) int { return Add(a, a) }\n",
		"add_test.go": `package house

import (
	"os"
	"testing"
)

func TestAdd(t *testing.T) {
	if twice(3) != 6 {
		t.Error("twice 3 is not 6")
	}
}

func TestWeak(t *testing.T) { _ = Add(1, 2) }

func TestRed(t *testing.T) { t.Error("always") }

func TestCases(t *testing.T) {
	t.Run("small", func(t *testing.T) {
		if Add(1, 1) != 2 {
			t.Error("1 and 1 is not 2")
		}
	})
}

func TestLeaves(t *testing.T) {
	if Add(1, 1) != 2 {
		os.Exit(3)
	}
}
`,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOWORK", "off")
	return &runner{root: root, limit: time.Minute, out: &strings.Builder{}, sound: map[string]error{}}
}

func minus(name, test string) Fault {
	return Fault{Name: name, File: "add.go", Old: "a + b", New: "a - b", Package: ".", Test: test}
}

func TestPlant(t *testing.T) {
	r := house(t)
	broken := minus("does not compile", "TestAdd")
	broken.New = "a +"
	absent := minus("not there", "TestAdd")
	absent.Old = "a * b"
	twice := minus("there twice", "TestAdd")
	twice.Old = "func"

	for _, c := range []struct {
		fault Fault
		want  error
		text  string
	}{
		{fault: minus("caught", "TestAdd")},
		{fault: minus("caught in a subtest", "TestCases/small")},
		{fault: minus("survives", "TestWeak"), want: errSurvived},
		{fault: minus("red anyway", "TestRed"), want: errUnsound},
		{fault: minus("no such test", "TestGone"), want: errUnsound},
		{fault: minus("ends without a verdict", "TestLeaves"), want: errSilent},
		{fault: broken, want: errBroken},
		{fault: absent, text: "occurs 0 times"},
		{fault: twice, text: "occurs 2 times"},
	} {
		t.Run(c.fault.Name, func(t *testing.T) {
			err := r.plant(context.Background(), c.fault)
			switch {
			case c.text != "":
				if err == nil || !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v, want an error with %q", err, c.text)
				}
			case !errors.Is(err, c.want):
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	source, err := os.ReadFile(filepath.Join(r.root, "add.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), "a + b") {
		t.Error("the tree was changed")
	}
}

func TestAll(t *testing.T) {
	caught, survives := minus("caught", "TestAdd"), minus("survives", "TestWeak")
	caught.Quick = true
	moved := minus("moved", "TestAdd")
	moved.Old = "a * b"

	for _, c := range []struct {
		name   string
		faults []Fault
		quick  bool
		only   string
		want   bool
		line   string
	}{
		{name: "all caught", faults: []Fault{caught}, want: true, line: "1 caught, 0 not planted but still in place, 0 wrong"},
		{name: "one survives", faults: []Fault{caught, survives}, want: false, line: "1 caught, 0 not planted but still in place, 1 wrong"},
		{name: "quick leaves the slow ones", faults: []Fault{caught, survives}, quick: true, want: true, line: "1 caught, 1 not planted but still in place, 0 wrong"},
		{name: "quick notices a moved place", faults: []Fault{caught, moved}, quick: true, want: false, line: "1 wrong"},
		{name: "by name", faults: []Fault{caught, survives}, only: "caught", want: true, line: "1 caught"},
		{name: "a name that nothing has", faults: []Fault{caught}, only: "nothing", want: false, line: "0 caught"},
		{name: "empty", want: false, line: "the list is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := house(t)
			out := &strings.Builder{}
			r.out = out
			if got := r.all(context.Background(), c.faults, c.quick, c.only); got != c.want {
				t.Errorf("got %v, want %v:\n%s", got, c.want, out)
			}
			if !strings.Contains(out.String(), c.line) {
				t.Errorf("no %q in:\n%s", c.line, out)
			}
		})
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown field", `[{"nome":"x"}]`, "unknown field"},
		{"missing", `[{"name":"x"}]`, "must be given"},
		{"same", `[{"name":"x","file":"f","old":"a","new":"a","package":".","test":"T"}]`, "the same"},
		{"twice", `[{"name":"x","file":"f","old":"a","package":".","test":"T"},{"name":"x","file":"f","old":"a","package":".","test":"T"}]`, "twice"},
		{"not JSON", `[`, "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "faults.json")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := read(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	faults, err := read("faults.json")
	if err != nil {
		t.Fatal("the project's own list:", err)
	}
	for _, f := range faults {
		if _, err := (&runner{root: "../.."}).mutate(f); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}
