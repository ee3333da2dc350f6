package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
)

// complaints hears what the measured system logs from warnings on. A measure
// that was taken while something went wrong must say so.
type complaints struct {
	mu    sync.Mutex
	lines map[string]int
}

// Write takes whole log lines in JSON.
func (c *complaints) Write(p []byte) (int, error) {
	var line struct {
		Msg   string `json:"msg"`
		Error string `json:"error"`
	}
	text := string(bytes.TrimSpace(p))
	if json.Unmarshal(p, &line) == nil {
		text = line.Msg
		if line.Error != "" {
			text += ": " + line.Error
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lines == nil {
		c.lines = map[string]int{}
	}
	c.lines[text]++
	return len(p), nil
}

func (c *complaints) notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for text, n := range c.lines {
		out = append(out, fmt.Sprintf("logged %s: %s", counted(int64(n), "time", "times"), text))
	}
	slices.Sort(out)
	return out
}

// telemetry is the usual one, with the complaints in place of the terminal.
func (c *complaints) telemetry() telemetry.Config {
	return telemetry.Config{LogFormat: "json", LogLevel: slog.LevelWarn, LogOutput: c, Version: version}
}

// benchSource is the short form of the source that the load's webhooks come
// from. They are signed, so the door verifies each.
func benchSource(dir string) (string, error) {
	secret := filepath.Join(dir, "bench.secret")
	return "bench,header=" + benchHeader + ",prefix=sha256=,encoding=hex,secret=file:" + secret, os.WriteFile(secret, []byte(benchSecret+"\n"), 0o600)
}

// benchPeople share the pool that the load's leads go to.
const benchPeople = 50

// world is the whole program, in this process: an agreement in force, 50 people
// on duty day and night who take any number of leads.
type world struct {
	*App
	dir  string
	logs *complaints
	// signers are the keys of both parties, and document what they signed first.
	signers  map[string]ed25519.PrivateKey
	document []byte
}

func newWorld(ctx context.Context, dir string) (*world, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	source, err := benchSource(dir)
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, logs: &complaints{}}
	w.App, err = Start(ctx, Config{
		Data: filepath.Join(dir, "data"), HTTP: "127.0.0.1:0", Console: "-", GRPC: "-", Metrics: "-", FreeFloor: 64,
		Sources: []string{source}, telemetry: w.logs.telemetry(),
	})
	if err != nil {
		return nil, err
	}
	if err := w.agree(access.WithToken(ctx, w.admin)); err != nil {
		return nil, errors.Join(access.FaultOf(err), w.Stop(ctx))
	}
	return w, nil
}

// agree adds the people and puts the agreement into force.
func (w *world) agree(ctx context.Context) error {
	people := routingv1.NewRoutingServiceClient(w.conn)
	var members []string
	for i := range benchPeople + 1 {
		// The last one takes the large companies alone, and gets none here.
		members = append(members, fmt.Sprintf("member-%02d", i+1))
		if _, err := people.AddMember(ctx, &routingv1.AddMemberRequest{Member: members[i], Name: "Member", Roles: []string{access.Sales, access.Qualifier}}); err != nil {
			return err
		}
	}
	w.signers = map[string]ed25519.PrivateKey{}
	for _, party := range []string{agreement.Marketing, agreement.Sales} {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		w.signers[party] = key
	}
	doc, err := alwaysOpen(string(agreement.Starter(agreement.StarterParams{MarketingKey: w.public(agreement.Marketing), SalesKey: w.public(agreement.Sales), Members: members})))
	if err != nil {
		return err
	}
	w.document = []byte(doc)
	return w.sign(ctx, w.document)
}

func (w *world) public(party string) ed25519.PublicKey {
	return w.signers[party].Public().(ed25519.PublicKey)
}

// revise puts another version of the agreement into force, with one more point
// needed for each revision.
func (w *world) revise(ctx context.Context, number int) error {
	return w.sign(ctx, bytes.Replace(w.document, []byte("points_needed: 3"), fmt.Appendf(nil, "points_needed: %d", 3+number), 1))
}

// sign proposes a document and lets both parties sign it.
func (w *world) sign(ctx context.Context, document []byte) error {
	service := agreementv1.NewAgreementServiceClient(w.conn)
	proposed, err := service.Propose(ctx, &agreementv1.ProposeRequest{Document: document})
	if err != nil {
		return err
	}
	for _, party := range []string{agreement.Marketing, agreement.Sales} {
		if _, err := service.Sign(ctx, &agreementv1.SignRequest{
			Version: proposed.GetVersion(), Party: party, Digest: proposed.GetDigest(), PublicKey: w.public(party),
			Signature: ed25519.Sign(w.signers[party], agreement.SignedText(proposed.GetDigest())),
		}); err != nil {
			return err
		}
	}
	return nil
}

// close stops the world and removes what it kept.
func (w *world) close(ctx context.Context) error {
	return errors.Join(w.Stop(context.WithoutCancel(ctx)), os.RemoveAll(w.dir))
}

// doors are the public door taken apart from the rest: the same handler, server
// and source on a log of its own, once with nothing behind it and once with the
// log, and nobody who works what was kept.
type doors struct {
	Nothing, Kept string // addresses
	Publish       func(context.Context) error

	log    *ledger.Ledger
	logs   *complaints
	closes []func()
}

// nothing keeps nothing.
type nothing struct{}

// Keep implements intake.Keeper.
func (nothing) Keep(context.Context, *intakev1.Delivery, *intakev1.DeliveryBody) error { return nil }

func newDoors(ctx context.Context, dir string) (d *doors, err error) {
	d = &doors{logs: &complaints{}}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return d, err
	}
	tel, err := telemetry.Start(ctx, d.logs.telemetry())
	if err != nil {
		return d, err
	}
	d.closes = append(d.closes, func() { _ = tel.Shutdown(context.WithoutCancel(ctx)) })
	sources := intake.NewSources()
	data := filepath.Join(dir, "data")
	d.log, err = ledger.Open(ctx, ledger.Config{Dir: data, FreeFloor: 64 << 20, Name: "baton bench", Logger: tel.Logger()}, sources)
	if err != nil {
		return d, err
	}
	d.closes = append(d.closes, func() { _ = d.log.Close() })
	sources.Guard(d.log.Follower())
	store, err := keys.Open(ctx, filepath.Join(data, "keys", "keys.db"))
	if err != nil {
		return d, err
	}
	d.closes = append(d.closes, func() { _ = store.Close() })
	now := time.Now()
	if err := store.EnsureDays(ctx, now, now.AddDate(0, 0, 2)); err != nil {
		return d, err
	}
	text, err := benchSource(dir)
	if err != nil {
		return d, err
	}
	source, err := parseSource(text)
	if err != nil {
		return d, err
	}
	if _, err := intake.Declare(ctx, d.log, intake.Ids{Keys: store}, sources, source); err != nil {
		return d, err
	}
	door, err := d.log.Door()
	if err != nil {
		return d, err
	}
	d.closes = append(d.closes, door.Close)
	config := intake.DoorConfig{
		Sources: sources, Secrets: &intake.Secrets{Env: environ}, Clock: clock.Real{}, SubmissionID: intake.Ids{Keys: store}.Submission,
		Logger: tel.Logger(), Metrics: doorMetrics{tel.Metrics()}, Trace: traceRequest, Keep: nothing{},
	}
	if d.Nothing, err = d.serve(ctx, config); err != nil {
		return d, err
	}
	config.Keep, config.Waiting = &intake.Keep{Keys: store, Door: door}, door.Waiting
	if d.Kept, err = d.serve(ctx, config); err != nil {
		return d, err
	}
	d.Publish, err = d.log.BenchPublisher(ctx, benchMessage)
	return d, err
}

// benchMessage is how many bytes a webhook is in INTAKE, about: what a raw
// publish is given as well.
const benchMessage = 900

func (d *doors) serve(ctx context.Context, config intake.DoorConfig) (string, error) {
	l, err := listen(ctx, "127.0.0.1:0", "a door")
	if err != nil {
		return "", err
	}
	srv := intake.NewServer("", intake.NewDoor(config))
	go func() { _ = srv.Serve(intake.LimitConnections(l, 4096)) }()
	d.closes = append(d.closes, func() { closeServer(srv, l) })
	return l.Addr().String(), nil
}

func closeServer(srv *http.Server, l net.Listener) {
	_ = srv.Close()
	_ = l.Close()
}

func (d *doors) close() {
	for _, f := range slices.Backward(d.closes) {
		f()
	}
}

// publish is one worker's part of a load that only publishes.
func (d *doors) publish(ctx context.Context, _ int, _ time.Time) error { return d.Publish(ctx) }

// alwaysOpen makes the starter agreement one in which everybody works day and
// night and takes any number of leads: what is measured is the program, not the
// hour of the day.
func alwaysOpen(doc string) (string, error) {
	for _, change := range [][2]string{
		{`["09:00-17:00"]`, `["00:00-24:00"]`},
		{"      fri: [\"00:00-24:00\"]\n", "      fri: [\"00:00-24:00\"]\n      sat: [\"00:00-24:00\"]\n      sun: [\"00:00-24:00\"]\n"},
		{"    holidays: [2026-12-25, 2027-01-01, 2027-12-25, 2028-01-01]\n", ""},
		{"    capacity: 50\n", "    capacity: 0\n"},
		{"    capacity: 25\n", "    capacity: 0\n"},
	} {
		if !strings.Contains(doc, change[0]) {
			return "", fmt.Errorf("the starter agreement no longer holds %q; the measurements change it there", change[0])
		}
		doc = strings.ReplaceAll(doc, change[0], change[1])
	}
	return doc, nil
}
