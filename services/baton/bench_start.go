package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
)

// startBatch is how many leads of the past one call carries: as many as share
// one batch of the log.
const startBatch = 100

// startRounds is the most rounds: each folds a long log twice.
const startRounds = 2

// startLeads is how many webhooks a process takes before it is killed, so that
// what it leaves is a log in the middle of work.
const startLeads = 200

// benchStart measures how long a process takes until it acknowledges a webhook,
// and how large it is then: on nothing, and on a long log after a clean stop
// and after kill -9.
func benchStart(ctx context.Context, b *bench) (*measured, error) {
	m := &measured{Title: fmt.Sprintf("a process of its own, until it acknowledges a webhook, with %s leads", grouped(int64(b.leads)))}
	dir := b.place("start")
	logs := &complaints{}
	if err := b.fill(ctx, m, dir, logs); err != nil {
		return nil, err
	}
	for round := range min(b.rounds, startRounds) {
		if err := b.startRound(ctx, m, dir, round); err != nil {
			return nil, err
		}
	}
	if b.cpuprofile != "" {
		b.say("start", b.rounds-1, "once more in this process, for the profile")
		stop := b.profile(b.rounds - 1)
		app, err := Start(ctx, startConfig(dir, logs))
		stop()
		if err != nil {
			return nil, err
		}
		if err := app.Stop(ctx); err != nil {
			return nil, err
		}
	}
	m.Notes = append(m.Notes, logs.notes()...)
	return m, nil
}

func startConfig(dir string, logs *complaints) Config {
	return Config{Data: filepath.Join(dir, "data"), HTTP: "127.0.0.1:0", Console: "-", GRPC: "-", Metrics: "-", FreeFloor: 64, telemetry: logs.telemetry()}
}

// fill writes the log: leads of the past, through the same call that an import
// makes.
func (b *bench) fill(ctx context.Context, m *measured, dir string, logs *complaints) error {
	b.say("start", 0, fmt.Sprintf("a log with %s leads", grouped(int64(b.leads))))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	app, err := Start(ctx, startConfig(dir, logs))
	if err != nil {
		return err
	}
	began := time.Now()
	calls, asked := errgroup.WithContext(access.WithToken(ctx, app.admin))
	calls.SetLimit(4)
	for from := 0; from < b.leads; from += startBatch {
		rows := past(from, min(from+startBatch, b.leads))
		calls.Go(func() error {
			out, err := intakev1.NewIntakeServiceClient(app.conn).ImportHistory(asked, &intakev1.ImportHistoryRequest{Source: "web", Rows: rows})
			for _, r := range out.GetResults() {
				if r.GetError() != "" {
					return fault.New(fault.Invalid, "row %d was not taken: %s", r.GetLine(), r.GetError())
				}
			}
			return err
		})
	}
	err = calls.Wait()
	took := time.Since(began)
	events := app.log.Follower().Pos()
	if err == nil {
		err = errors.Join(app.Settle(ctx), app.Read(ctx))
	}
	if err := errors.Join(access.FaultOf(err), app.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	m.add("filled", "import of leads of the past", "leads/s", "", float64(b.leads)/took.Seconds())
	m.add("log", "length of the log", "events", "", float64(events))
	return nil
}

// past are leads of the past, each of another person, half of them won.
func past(from, to int) []*intakev1.HistoryRow {
	received := time.Date(2025, 1, 6, 8, 0, 0, 0, time.UTC)
	var rows []*intakev1.HistoryRow
	for i := from; i < to; i++ {
		at := received.Add(time.Duration(i) * time.Minute / 4)
		row := &intakev1.HistoryRow{
			Line: int64(i + 2), ReceivedAt: timestamppb.New(at), ClosedAt: timestamppb.New(at.AddDate(0, 1, 0)),
			Owner: fmt.Sprintf("member-%02d", i%benchPeople), Outcome: "won", ValueMinor: 120000, Currency: "EUR",
			Submission: &intakev1.Submission{
				ExternalId: fmt.Sprintf("past-%d", i),
				Personal:   &leadv1.PersonalData{Email: fmt.Sprintf("past.%d@alpenwerk.example", i), Company: "Alpenwerk Maschinen GmbH"},
				Features:   &leadv1.Features{Country: "DE"},
			},
		}
		if i%2 == 1 {
			row.Outcome, row.ValueMinor, row.Currency = "lost", 0, ""
		}
		rows = append(rows, row)
	}
	return rows
}

func (b *bench) startRound(ctx context.Context, m *measured, dir string, round int) error {
	b.say("start", round, "on an empty directory")
	empty := filepath.Join(dir, fmt.Sprintf("empty-%d", round))
	fresh, err := b.child(ctx, empty)
	if err != nil {
		return err
	}
	if err := fresh.end(syscall.SIGTERM); err != nil {
		return err
	}
	_ = os.RemoveAll(empty)

	b.say("start", round, "after a clean stop")
	clean, err := b.child(ctx, dir)
	if err != nil {
		return err
	}
	// Killed in the middle of its work, its log further than any index of it.
	err = clean.take(ctx, startLeads)
	if endErr := clean.end(syscall.SIGKILL); err == nil {
		err = endErr
	}
	if err != nil {
		return err
	}
	b.say("start", round, "after kill -9")
	killed, err := b.child(ctx, dir)
	if err != nil {
		return err
	}
	if err := killed.end(syscall.SIGTERM); err != nil {
		return err
	}
	m.add("empty", "until it acknowledges, on an empty directory", "ms", "clean", ms(fresh.acked))
	m.add("clean", "until it acknowledges, after a clean stop", "ms", "clean", ms(clean.acked))
	m.add("killed", "until it acknowledges, after kill -9", "ms", "clean", ms(killed.acked))
	m.add("empty-rss", "memory then (RSS), on an empty directory", "MiB", "clean-rss", fresh.rss)
	m.add("clean-rss", "memory then (RSS), after a clean stop", "MiB", "clean-rss", clean.rss)
	m.add("clean-peak", "most memory until then, after a clean stop", "MiB", "clean-rss", clean.peak)
	m.add("killed-rss", "memory then (RSS), after kill -9", "MiB", "clean-rss", killed.rss)
	m.add("each-rss", "memory for each lead, after a clean stop", "bytes", "", (clean.rss-fresh.rss)*(1<<20)/float64(b.leads))
	m.want("after kill -9 it acknowledges again within 2 x the time after a clean stop", 0, 2, quotient(ms(killed.acked), ms(clean.acked)))
	m.want("after kill -9 it acknowledges again within 2 x the time of a start on an empty directory", 0, 2, quotient(ms(killed.acked), ms(fresh.acked)))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// child is this program in a process of its own.
type child struct {
	cmd *exec.Cmd
	// read closes when the process says nothing more.
	read   chan struct{}
	cancel context.CancelFunc
	addr   string
	acked  time.Duration
	// rss and peak in MiB, once it acknowledged.
	rss, peak float64
}

// child starts the program on a directory and waits until it acknowledges a
// webhook.
func (b *bench) child(ctx context.Context, dir string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	source, err := benchSource(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	c := &child{read: make(chan struct{}), cancel: cancel}
	c.cmd = exec.CommandContext(ctx, program, "up", "--data", filepath.Join(dir, "data"), "--http", "127.0.0.1:0", "--console", "127.0.0.1:0",
		"--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--free-floor", "64", "--source", source)
	for _, set := range os.Environ() {
		// What the environment says of another system is not for this one.
		if !strings.HasPrefix(set, "BATON_") && !strings.HasPrefix(set, "OTEL_") {
			c.cmd.Env = append(c.cmd.Env, set)
		}
	}
	said, err := c.cmd.StderrPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	ready := make(chan string, 1)
	go func() {
		defer close(c.read)
		ready <- c.listen(said)
		_, _ = io.Copy(io.Discard, said)
	}()
	if otherwise := <-ready; c.addr == "" {
		return nil, errors.Join(fault.New(fault.Unavailable, "the process did not become ready: %s", otherwise), c.end(syscall.SIGKILL))
	}
	if err := c.take(ctx, 1); err != nil {
		return nil, errors.Join(err, c.end(syscall.SIGKILL))
	}
	c.acked = time.Since(began)
	c.rss, c.peak, err = memory(c.cmd.Process.Pid)
	return c, err
}

// listen reads what the process says until it is ready, and answers its last
// words if it never is.
func (c *child) listen(said io.Reader) string {
	lines := bufio.NewScanner(said)
	last, door := "it said nothing", ""
	for lines.Scan() {
		text := lines.Text()
		if rest, ok := strings.CutPrefix(text, "Door"); ok {
			door = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(rest), "http://"), "/hooks/web")
		}
		if strings.HasPrefix(text, "Ready.") {
			c.addr = door
			return ""
		}
		if strings.TrimSpace(text) != "" {
			last = text
		}
	}
	return last
}

// take sends webhooks, one after another.
func (c *child) take(ctx context.Context, n int) error {
	p, err := dialDoor(ctx, c.addr)
	if err != nil {
		return err
	}
	defer p.close()
	for range n {
		if _, err := p.post(webhook()); err != nil {
			return err
		}
	}
	return nil
}

// end ends the process and waits until it is gone.
func (c *child) end(how syscall.Signal) error {
	err := c.cmd.Process.Signal(how)
	<-c.read
	waited := c.cmd.Wait()
	c.cancel()
	if err != nil {
		return err
	}
	if how == syscall.SIGKILL {
		return nil
	}
	if waited != nil {
		return fault.New(fault.Unavailable, "the process did not stop cleanly: %w", waited)
	}
	return nil
}

// memory is what a process holds now and held at most, in MiB.
func memory(pid int) (now, most float64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fault.New(fault.Unavailable, "the size of the process cannot be read; this needs Linux: %w", err)
	}
	for line := range bytes.Lines(raw) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "VmRSS:":
			now = kib / 1024
		case "VmHWM:":
			most = kib / 1024
		}
	}
	return now, most, nil
}
