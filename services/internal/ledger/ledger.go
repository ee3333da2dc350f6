// Package ledger keeps the log, and is the only room that knows NATS.
//
// It promises: what it acknowledged is synced to disk; every event stands in
// one total order and in the hash chain of its subject, signed by the service
// that said it; a writer that has not seen a subject's last event is refused;
// events that belong together stand together or not at all; and a log that
// does not fit its own checkpoints takes nothing new.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Config says where the log is.
type Config struct {
	// URL of a NATS server; empty = a server inside this process.
	URL string
	// Dir is the data directory; the embedded server's store lies beneath it.
	Dir string
	// KeyDir holds the services' signing keys; empty = Dir/keys.
	KeyDir string
	// Outside is where checkpoints are kept besides the log, away from Dir;
	// empty = Dir with ".checkpoints" appended.
	Outside string
	// Listen is the embedded server's address; empty = this process only.
	Listen string
	// Replicas of each stream; 0 = 1.
	Replicas int
	// FreeFloor is the free space in bytes below which nothing new is taken;
	// 0 = 256 MiB.
	FreeFloor uint64
	// Name tells this process apart in the server's connection list.
	Name string
	// Clock tells the time; nil = the machine's.
	Clock clock.Clock
	// TZData names the time-zone data that decisions use.
	TZData string
	// Logger takes what happens; nil = nothing.
	Logger *slog.Logger
	// Observer hears of writes and conflicts; nil = nobody.
	Observer Observer
	// Dialer connects to the embedded server; nil = directly. Tests put a lossy
	// line here.
	Dialer nats.CustomDialer
	// Born are the services that there are; nil = all. Tests make logs of a time before
	// one of them.
	Born []string
	// Wall is what waits for the disk are measured by; nil = the machine's clock.
	Wall func() time.Time
}

// Observer hears what the ledger does, for metrics.
type Observer interface {
	EventWritten(service, typ string)
	Conflict(service string)
	DeadLetter(service, fault string)
}

// Streams of the log.
const (
	StreamIntake      = "INTAKE"
	StreamLedger      = "LEDGER"
	StreamCheckpoints = "CHECKPOINTS"
)

// Ledger is an open log.
type Ledger struct {
	cfg    Config
	clock  clock.Clock
	logger *slog.Logger
	srv    *server.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	lock   *dirLock
	keys   *Keyring
	id     string

	follower *Follower
	trees    map[string]*Tree

	looks  lastLook
	saying *together
	// timeout bounds the wait for an answer of the log.
	timeout time.Duration

	// pointed are the last checkpoints by stream, under pointMu.
	pointMu sync.Mutex
	pointed map[string]Checkpoint

	mu       sync.Mutex
	readOnly string
	closed   bool
	stops    []func()
}

// Open starts or joins the log, brings its streams into being, compares it with
// its checkpoints and folds it. Folds hear every event from the first on, in
// order. A log that does not fit is opened read-only: ReadOnly says why.
func Open(ctx context.Context, cfg Config, folds ...Fold) (*Ledger, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.KeyDir == "" {
		cfg.KeyDir = filepath.Join(cfg.Dir, "keys")
	}
	if cfg.Outside == "" {
		cfg.Outside = filepath.Clean(cfg.Dir) + ".checkpoints"
	}
	if cfg.Replicas == 0 {
		cfg.Replicas = 1
	}
	if cfg.FreeFloor == 0 {
		cfg.FreeFloor = 256 << 20
	}
	if cfg.Observer == nil {
		cfg.Observer = silence{}
	}
	l := &Ledger{cfg: cfg, clock: cfg.Clock, logger: cfg.Logger, trees: map[string]*Tree{}, timeout: publishTimeout, saying: newTogether()}
	if err := l.open(ctx, folds); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Ledger) open(ctx context.Context, folds []Fold) error {
	if err := os.MkdirAll(l.cfg.Dir, 0o700); err != nil {
		return fault.New(fault.Unavailable, "ledger: cannot make the data directory: %w", err)
	}
	lock, err := lockDir(l.cfg.Dir, l.cfg.Name)
	if err != nil {
		return err
	}
	l.lock = lock
	if l.cfg.URL == "" {
		if l.srv, err = embed(l.cfg); err != nil {
			return err
		}
	}
	if err := l.connect(); err != nil {
		return err
	}
	if err := l.ensureStreams(ctx); err != nil {
		return err
	}
	if l.keys, err = openKeyring(l.cfg.KeyDir); err != nil {
		return err
	}
	for _, stream := range []string{StreamLedger, StreamIntake} {
		tree, err := newTree(filepath.Join(l.cfg.Dir, "tree"), stream)
		if err != nil {
			return err
		}
		l.trees[stream] = tree
		l.stops = append(l.stops, tree.close)
	}
	return l.start(ctx, folds)
}

func (l *Ledger) connect() error {
	opts := []nats.Option{
		nats.Name("baton " + l.cfg.Name),
		// A publish that answered an error must not land later.
		nats.ReconnectBufSize(-1),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.CustomInboxPrefix("_IN_" + nats.NewInbox()[len(nats.InboxPrefix):]),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			l.logger.Warn("the connection to the log reported an error", "error", err.Error())
		}),
	}
	url := l.cfg.URL
	if l.srv != nil {
		url = ""
		if l.cfg.Dialer != nil {
			opts = append(opts, nats.SetCustomDialer(l.cfg.Dialer))
			url = l.srv.ClientURL()
		} else {
			opts = append(opts, nats.InProcessServer(l.srv))
		}
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return fault.New(fault.Unavailable, "ledger: cannot reach the NATS server at %q; start it or leave the address empty to use the embedded one: %w", l.cfg.URL, err)
	}
	l.nc = nc
	l.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256))
	return err
}

// Clock is the log's clock.
func (l *Ledger) Clock() clock.Clock { return l.clock }

// ID names this log for ever.
func (l *Ledger) ID() string { return l.id }

// Follower folds the log as it grows.
func (l *Ledger) Follower() *Follower { return l.follower }

// Keyring holds the services' keys.
func (l *Ledger) Keyring() *Keyring { return l.keys }

// ReadOnly says why the log takes nothing new; empty = it does.
func (l *Ledger) ReadOnly() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.readOnly
}

// damage makes the log read-only, loudly, for good.
func (l *Ledger) damage(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	first := l.readOnly == ""
	if first {
		l.readOnly = text
	}
	l.mu.Unlock()
	if first {
		l.logger.Error("THE LOG IS DAMAGED and takes nothing new; run baton verify", "error", text)
	}
}

// writable answers the fault that keeps the log from taking anything new.
func (l *Ledger) writable() error {
	if why := l.ReadOnly(); why != "" {
		return fault.New(fault.Corrupt, "the log is read-only: %s", why)
	}
	return l.space()
}

// Close stops everything that Open started, backwards. It may be called twice.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	stops := l.stops
	l.stops = nil
	l.mu.Unlock()
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
	var errs []error
	if l.nc != nil {
		if err := l.nc.FlushTimeout(2 * time.Second); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			errs = append(errs, err)
		}
		l.nc.Close()
	}
	if l.srv != nil {
		l.srv.Shutdown()
		l.srv.WaitForShutdown()
	}
	if l.lock != nil {
		errs = append(errs, l.lock.release())
	}
	return errors.Join(errs...)
}

type silence struct{}

func (silence) EventWritten(string, string) {}
func (silence) Conflict(string)             {}
func (silence) DeadLetter(string, string)   {}
