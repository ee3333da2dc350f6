package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// programs are what the tests start as processes of their own, by name.
var programs = map[string]func(){
	"baton": func() { os.Exit(execute(os.Args[1:])) },
}

func TestMain(m *testing.M) { testscript.Main(m, programs) }

// TestCommandLine runs the program as people do, without a running system.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// The caller's own settings are not what is tested.
			e.Setenv("BATON_TOKEN", "")
			e.Setenv("BATON_SERVER", "")
			e.Setenv("BATON_DATA", "")
			e.Setenv("BATON_KEYS", "")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": wantStatus,
			"mode":   wantMode,
			"edit":   edit,
			"append": appendFile,
		},
	})
}

// wantStatus runs a program and looks at its very status.
func wantStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM …")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		got = ended.ExitCode()
	default:
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("it ended with status %d; want %d", got, want)
	}
}

func wantMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode MODE FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%#o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s; want %s", args[1], got, args[0])
	}
}

// ran is what a command line gave.
type ran struct {
	status   int
	out, err string
}

// run runs a command line inside this process.
func run(t testing.TB, args ...string) ran {
	t.Helper()
	return runContext(t.Context(), args...)
}

func runContext(ctx context.Context, args ...string) ran {
	var out, errs bytes.Buffer
	root := newRoot("test")
	addCommands(root)
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	status := finish(&errs, root.ExecuteContext(ctx))
	return ran{status, out.String(), errs.String()}
}

// ok runs a command line that must go well, and answers what it said.
func ok(t testing.TB, args ...string) string {
	t.Helper()
	r := run(t, args...)
	if r.status != statusOK {
		t.Fatalf("baton %s: status %d\n%s%s", strings.Join(args, " "), r.status, r.out, r.err)
	}
	return r.out
}

// has checks that a text holds others.
func has(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("this lacks %q:\n%s", want, text)
		}
	}
}

func TestEveryCommandSaysHow(t *testing.T) {
	root := newRoot("test")
	addCommands(root)
	commands := root.Commands()
	for len(commands) > 0 {
		c := commands[0]
		commands = append(commands[1:], c.Commands()...)
		if c.Name() == "help" || c.Hidden {
			continue
		}
		if c.Short == "" {
			t.Errorf("%s: no line for the list of commands", c.CommandPath())
		}
		if !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%s: no example", c.CommandPath())
		}
		if strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: a full stop in the list of commands", c.CommandPath())
		}
		for _, line := range strings.Split(c.Long, "\n") {
			if len([]rune(line)) > 88 {
				t.Errorf("%s: a line of the help is %d wide: %s", c.CommandPath(), len([]rune(line)), line)
			}
		}
	}
}

func TestPlainTakesTheTeethOutOfText(t *testing.T) {
	for in, want := range map[string]string{
		"Ana Lima":              "Ana Lima",
		"a\x1b[31mred":          "a\ufffd[31mred",
		"a\tb\r":                "a b ",
		"two\nlines":            "two\nlines",
		"\u202etxt.exe":         "\ufffdtxt.exe",
		"\u009b31m":             "\ufffd31m",
		"bad \xff byte":         "bad \ufffd byte",
		"grüße, 你好, \U0001f600": "grüße, 你好, \U0001f600",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestColoursAreForTerminalsOnly(t *testing.T) {
	var b bytes.Buffer
	if coloured(&b) {
		t.Error("a buffer is no terminal")
	}
	f, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) {
		t.Error("a file is no terminal")
	}
	if runtime.GOOS == "windows" {
		return
	}
	device, err := os.Open(os.DevNull) // a character device, as a terminal is
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	defer device.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if !coloured(device) {
		t.Error("a terminal takes colours")
	}
	t.Setenv("NO_COLOR", "1")
	if coloured(device) {
		t.Error("NO_COLOR was set")
	}
}

func TestGrouped(t *testing.T) {
	for in, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 8800: "8,800", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := grouped(in); got != want {
			t.Errorf("grouped(%d) = %q; want %q", in, got, want)
		}
	}
}

func TestScaled(t *testing.T) {
	for _, c := range []struct {
		in       string
		decimals int
		want     int64
		ok       bool
	}{
		{"12", 2, 1200, true},
		{"12.5", 2, 1250, true},
		{"12.50", 2, 1250, true},
		{"12.500", 2, 1250, true},
		{"12.505", 2, 0, false},
		{"0", 0, 0, true},
		{"-3", 2, -300, true},
		{"105400", 0, 105400, true},
		{"1500", -3, 0, false}, // a count in thousandths that is no whole number
		{"", 2, 0, false},
		{".5", 2, 0, false},
		{"5.", 2, 0, false},
		{"1e3", 2, 0, false},
		{"+5", 2, 0, false},
		{"--5", 2, 0, false},
		{"1,000", 2, 0, false},
		{"99999999999999999999", 2, 0, false},
	} {
		got, ok := scaled(c.in, c.decimals)
		if got != c.want && c.ok || ok != c.ok {
			t.Errorf("scaled(%q, %d) = %d, %v; want %d, %v", c.in, c.decimals, got, ok, c.want, c.ok)
		}
	}
}

// edit replaces text in a file, which must hold it: edit FILE OLD NEW.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

// appendFile puts one file behind another.
func appendFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE MORE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+ts.ReadFile(args[1])), 0o600))
}
