//go:build real

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger/ledgertest"
)

// built is the command, freshly built.
func built(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "baton")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// bare is the environment without anything that would set the command up.
func bare() (env []string) {
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "BATON_") && !strings.HasPrefix(pair, "OTEL_") {
			env = append(env, pair)
		}
	}
	return env
}

// process is one `baton up` and where it listens.
type process struct{ door, grpc, console string }

// launch runs services in a process of their own until the test ends, and expects
// that it stops by itself when it is asked to.
func launch(t *testing.T, bin string, args ...string) process {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"up"}, args...)...)
	cmd.Env = bare()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	lines := bufio.NewReader(io.TeeReader(out, &said))
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), "Stopped.") {
			t.Errorf("baton up %v ended with %v:\n%s", args, err, said.String())
		}
	})
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("baton up %v said no more:\n%s", args, said.String())
		}
		if strings.HasPrefix(line, "Ready.") {
			break
		}
	}
	find := func(label string) string {
		m := regexp.MustCompile(`(?m)^` + label + `:?\s+(?:http://)?(127\.0\.0\.1:\d+)`).FindStringSubmatch(said.String())
		if m == nil {
			return ""
		}
		return m[1]
	}
	return process{door: find("Door"), grpc: find("gRPC"), console: find("Console")}
}

// always is an agreement under which somebody is always on duty: these processes
// run by the machine's clock, whatever day it is.
func always(document []byte) []byte {
	document = regexp.MustCompile(`(?m)^      (mon|tue|wed|thu|fri): .*\n`).ReplaceAll(document, []byte(`      $1: ["00:00-24:00"]`+"\n"))
	document = bytes.Replace(document, []byte("      fri: "), []byte("      sat: [\"00:00-24:00\"]\n      sun: [\"00:00-24:00\"]\n      fri: "), 1)
	return regexp.MustCompile(`(?m)^    holidays: .*\n`).ReplaceAll(document, nil)
}

func TestProcessesApartAreTheSame(t *testing.T) {
	seeded := seededKeys(t)

	// All in one process, on a clock that stands still: how many events each lead
	// has wherever the play waits.
	one := start(t, Config{Keys: copyKeys(t, seeded)})
	var counts []map[string]int
	one.still = true
	one.settled = func() {
		at := map[string]int{}
		for key, id := range one.ids {
			at[key] = len(one.tale(id))
		}
		counts = append(counts, at)
	}
	together := performance(t, one, always(one.document()))

	bin := built(t)
	url := ledgertest.Serve(t, filepath.Join(t.TempDir(), "nats"))
	folder := copyKeys(t, seeded)
	root := t.TempDir()
	run := func(name string, args ...string) process {
		return launch(t, bin, append(args, "--nats", url, "--keys", folder, "--data", filepath.Join(root, name), "--grpc", "127.0.0.1:0", "--metrics", "-", "--free-floor", "1")...)
	}
	front := run("intake", "intake", "--http", "127.0.0.1:0", "--console", "-")
	qualifies := run("qualification", "qualification")
	routes := run("routing", "routing")
	keeps := run("rest", "feedback", "audit", "agreement", "delivery")
	shows := run("console", "console", "--console", "127.0.0.1:0",
		"--peer", "intake="+front.grpc, "--peer", "qualification="+qualifies.grpc, "--peer", "routing="+routes.grpc,
		"--peer", "feedback="+keeps.grpc, "--peer", "audit="+keeps.grpc, "--peer", "agreement="+keeps.grpc, "--peer", "delivery="+keeps.grpc)
	if shows.console == "" {
		t.Error("the console says no address")
	}

	many := newHouse(t)
	many.door = front.door
	conns := &peers{other: map[string]*grpc.ClientConn{}}
	for name, addr := range map[string]string{"intake": front.grpc, "qualification": qualifies.grpc, "routing": routes.grpc, "feedback": keeps.grpc, "audit": keeps.grpc, "agreement": keeps.grpc, "delivery": keeps.grpc} {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns.other[name] = conn
	}
	many.conn = conns
	store, err := keys.Open(t.Context(), filepath.Join(folder, "keys.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	many.App = &App{keys: store}
	many.admin = must[string](t)(access.LoadAdminToken(folder))
	waits := 0
	many.still = true
	many.wait = func() {
		t.Helper()
		if waits == len(counts) {
			t.Fatalf("the play waits more often than %d times", len(counts))
		}
		many.until(counts[waits])
		waits++
	}
	same(t, "what became of each lead, in processes apart and in one", performance(t, many, always(many.document())), together)
	same(t, "how often the play waited", waits, len(counts))

	// Anybody can check it, with the command.
	verify := exec.CommandContext(t.Context(), bin, "verify", "--server", keeps.grpc)
	verify.Env = append(bare(), "BATON_TOKEN="+many.admin)
	out, err := verify.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "The log is whole.") {
		t.Errorf("baton verify: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// until waits until every lead has as many events.
func (h *house) until(want map[string]int) {
	h.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for key, n := range want {
		for {
			got, err := leadv1.NewLeadServiceClient(h.conn).GetHistory(h.as(""), &leadv1.GetHistoryRequest{LeadId: h.ids[key]})
			if len(got.GetEntries()) >= n {
				break
			}
			if time.Now().After(deadline) {
				h.t.Fatalf("%s has %d events, and had %d in one process: %v", key, len(got.GetEntries()), n, errors.Join(err))
			}
			if err := clock.Sleep(h.t.Context(), clock.Real{}, time.Now().Add(5*time.Millisecond)); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}
