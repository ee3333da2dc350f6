package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/audit"
	"github.com/leadbaton/baton/services/console"
	"github.com/leadbaton/baton/services/delivery"
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/rest"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
	"github.com/leadbaton/baton/services/qualification"
	"github.com/leadbaton/baton/services/report"
	"github.com/leadbaton/baton/services/routing"
	"github.com/leadbaton/baton/services/score"
)

// App is one process: some services, or all, on one log.
type App struct {
	cfg    Config
	tel    *telemetry.Telemetry
	logger *slog.Logger
	keys   *keys.Store
	log    *ledger.Ledger

	register *agreement.Register
	scores   *score.Register
	recent   *score.Recent
	scorer   *score.Server
	supply   *agreement.Supply
	roster   *routing.Roster
	groups   *routing.Groups
	moves    *routing.Moves
	keeper   *routing.Keeper
	clocks   *routing.Clocks
	line     *qualification.Line
	later    *qualification.Later
	sources  *intake.Sources
	persons  *intake.People
	accounts *intake.Accounts
	waiting  *feedback.Waiting
	quarters *feedback.Quarters
	docket   *feedback.Docket
	checks   *feedback.Checks
	given    *feedback.Given
	touches  *intake.Touches
	names    *intake.Names
	held     *intake.Held
	tally    *intake.Tally
	people   *routing.Server
	book     *delivery.Book
	passes   *access.Passes
	speed    *speed

	store      *report.Store
	intakeDesk *ledger.IntakeWorker
	worker     *intake.Worker
	qualDesk   *ledger.Desk
	routeDesk  *ledger.Desk
	// outcomeDesk gives leads the outcomes that came before them.
	outcomeDesk *ledger.Desk
	// disputeDesk puts disputes that lie before those who are agreed.
	disputeDesk *ledger.Desk
	// checkDesk opens checks when figures fall.
	checkDesk *ledger.Desk
	// agreeDesk records the ends of exceptions.
	agreeDesk *ledger.Desk
	// clockDesk says what clocks come to.
	clockDesk *ledger.Desk
	// tellDesk queues what people and systems are told; teller sends it.
	tellDesk *ledger.Desk
	teller   *delivery.Worker
	maker    *delivery.Maker

	server *grpc.Server
	health *health.Server
	memory *bufconn.Listener
	conn   *grpc.ClientConn
	admin  string

	// Where this process listens; empty = nowhere.
	HTTPAddr, ConsoleAddr, GRPCAddr, MetricsAddr string

	run   context.Context
	stops []stop
	// draining closes first of all: streams that could go on for ever end.
	draining chan struct{}
}

// stop undoes one step of the start.
type stop struct {
	name string
	undo func(context.Context) error
}

func (a *App) undo(name string, f func(context.Context) error) {
	a.stops = append(a.stops, stop{name, f})
}

// Start brings a process to life, step by step; each step's undoing goes on
// one list. An error half-way drains the same list as a stop.
func Start(ctx context.Context, cfg Config) (*App, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	a := &App{
		cfg: cfg, register: &agreement.Register{}, scores: &score.Register{}, recent: &score.Recent{}, supply: agreement.NewSupply(), roster: routing.NewRoster(), groups: routing.NewGroups(), moves: routing.NewMoves(), line: qualification.NewLine(), later: qualification.NewLater(),
		sources:  intake.NewSources(),
		persons:  intake.NewPeople(),
		accounts: intake.NewAccounts(),
		waiting:  feedback.NewWaiting(),
		quarters: feedback.NewQuarters(),
		given:    feedback.NewGiven(),
		touches:  intake.NewTouches(),
		names:    intake.NewNames(),
		tally:    intake.NewTally(),
		book:     delivery.NewBook(),
		draining: make(chan struct{}),
	}
	a.held = intake.NewHeld(a.sources)
	a.docket = feedback.NewDocket(a.register)
	a.checks = feedback.NewChecks(a.register, a.quarters)
	a.clocks = routing.NewClocks(routing.NewTimes(a.register, a.roster, a.persons.People))
	if err := a.start(ctx); err != nil {
		return nil, errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	return a, nil
}

// start is long on purpose: it is the order in which things come to life, and
// read backwards the order in which they end.
func (a *App) start(ctx context.Context) error {
	cfg := &a.cfg
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.run = run
	a.undo("context", func(context.Context) error { cancel(); return nil })

	tcfg := cfg.telemetry
	if tcfg.Endpoint == "" {
		tcfg.Endpoint = cfg.Endpoint
	}
	if tcfg.LogFormat == "" {
		tcfg.LogFormat = cfg.LogFormat
	}
	tcfg.Service = "baton"
	if len(cfg.Services) < len(allServices) {
		tcfg.Service = "baton-" + strings.Join(cfg.Services, "-")
	}
	tel, err := telemetry.Start(ctx, tcfg)
	if err != nil {
		return err
	}
	a.tel, a.logger = tel, tel.Logger()
	// Who logs without having been given a logger, such as the guard of every
	// call, must not get past the list of what may be told.
	slog.SetDefault(a.logger)
	a.speed = &speed{m: tel.Metrics(), since: map[string]time.Time{}}
	a.undo("telemetry", tel.Shutdown)

	var pools ledger.Fold = a.groups
	if cfg.runs(routing.Name) {
		a.keeper = routing.NewKeeper(a.groups, func(ctx context.Context) (routing.Store, error) {
			if cfg.RedisURL != "" {
				return routing.OpenRedis(cfg.RedisURL)
			}
			return routing.OpenEmbedded(ctx, filepath.Join(cfg.Data, "routing.db"))
		}, a.logger)
		a.keeper.Roster = a.roster
		pools = a.keeper
		a.undo("routing state", func(context.Context) error { return a.keeper.Close() })
	}
	// The log comes before the keys: it holds the lock of the directory.
	a.log, err = ledger.Open(ctx, ledger.Config{
		URL: cfg.NATSURL, Dir: cfg.Data, KeyDir: cfg.Keys, Outside: cfg.Checkpoints, Listen: cfg.NATSListen, Replicas: cfg.Replicas,
		FreeFloor: cfg.FreeFloor << 20, Name: "baton up " + strings.Join(cfg.Services, " "), Clock: cfg.clock, TZData: agreement.TZDataVersion(), Logger: a.logger, Observer: observer{tel.Metrics()},
		Dialer: cfg.line, Wall: cfg.wall, Born: cfg.born,
	}, a.register, a.supply, a.scores, a.recent, a.roster, pools, a.line, a.later, a.speed,
		a.sources,
		a.persons,
		a.accounts,
		a.waiting,
		a.quarters,
		a.docket,
		a.checks,
		a.given,
		a.touches,
		a.names,
		a.held,
		a.tally,
		a.moves,
		a.timing(),
		a.book,
	)
	if err != nil {
		return err
	}
	a.undo("log", func(context.Context) error { return a.log.Close() })
	a.sources.Guard(a.log.Follower())
	a.persons.Guard(a.log.Follower())
	a.accounts.Guard(a.log.Follower())
	a.speed.live.Store(true)
	a.undo("read-only gauge", discard(tel.Metrics().OnReadOnly(func() bool { return a.log.ReadOnly() != "" })))

	if a.keys, err = keys.Open(ctx, filepath.Join(cfg.Keys, "keys.db")); err != nil {
		return err
	}
	a.undo("keys", func(context.Context) error { return a.keys.Close() })
	if err := a.keepDays(ctx); err != nil {
		return err
	}
	if a.admin, err = access.LoadOrCreateAdminToken(cfg.token); err != nil {
		return err
	}
	a.people = &routing.Server{Log: a.log, Keys: a.keys, Register: a.register, Roster: a.roster, Groups: a.groups, People: a.persons.People, Moves: a.moves, Clocks: a.clocks}
	a.passes = &access.Passes{MAC: a.keys.MAC, Who: a.people.Actor, Now: a.log.Clock().Now}
	directory := access.Directories{access.NewAdmin(a.admin), &members{people: a.people, log: a.log}, a.passes}
	a.server = grpc.NewServer(
		tel.ServerOption(), grpc.MaxRecvMsgSize(16<<20),
		grpc.ChainUnaryInterceptor(access.UnaryServer(directory)), grpc.ChainStreamInterceptor(access.StreamServer(directory)),
	)
	a.health = health.NewServer()
	healthv1.RegisterHealthServer(a.server, a.health)
	reflection.Register(a.server)

	writable := a.log.ReadOnly() == ""
	if writable && cfg.runs("intake") {
		otherwise, err := intake.Declare(ctx, a.log, intake.Ids{Keys: a.keys}, a.sources, cfg.sources...)
		if err != nil {
			return err
		}
		for _, name := range otherwise {
			a.logger.WarnContext(ctx, "a source stands otherwise than this configuration declares it, and stays so: baton source show tells how, and the commands beside it change it", "source", name)
		}
	}
	for _, name := range allServices {
		if !cfg.runs(name) {
			continue
		}
		if err := a.service(ctx, name, writable); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := a.serveGRPC(ctx); err != nil {
		return err
	}
	if cfg.runs("console") {
		if err := a.serveConsole(ctx, directory); err != nil {
			return err
		}
	}
	if err := a.serveMetrics(ctx); err != nil {
		return err
	}
	if cfg.runs("intake") || cfg.runs(delivery.Name) {
		if err := a.serveDoor(ctx); err != nil {
			return err
		}
	}
	a.undo("streams", func(context.Context) error { close(a.draining); return nil })
	return nil
}

// service brings one service to life. A log that is read-only is shown and
// handed out, and nothing decides on it.
func (a *App) service(ctx context.Context, name string, writable bool) error {
	switch name {
	case "feedback":
		return a.startFeedback(ctx, writable)
	case audit.Name:
		auditv1.RegisterAuditServiceServer(a.server, &audit.Server{Log: a.log})
		if writable {
			a.background("checkpoints", func(ctx context.Context) { a.log.KeepCheckpoints(ctx, 1000, 10*time.Second) })
		}
	case agreement.Name:
		agreementv1.RegisterAgreementServiceServer(a.server, &agreement.Server{Log: a.log, Register: a.register, Supply: a.supply, Members: a.departments, Verdict: a.docket.Decided})
		// The score is signed like the agreement, so the same service keeps it.
		scorer := &score.Server{Log: a.log, Register: a.scores, Recent: a.recent, Agreements: a.register, Logger: a.logger}
		scorev1.RegisterScoreServiceServer(a.server, scorer)
		if writable {
			a.scorer = scorer
			a.background("training the score", scorer.Keep)
			var err error
			a.agreeDesk, err = a.nudged(name, &agreement.Endings{Register: a.register}, a.register.Nudge)
			return err
		}
	case routing.Name:
		a.people.Desk = closed{a.log}
		if writable {
			var routes atomic.Pointer[ledger.Desk]
			a.background("keeping the routing state", func(ctx context.Context) {
				a.keeper.Keep(ctx, a.log, func() bool { desk := routes.Load(); return desk != nil && desk.Active() })
			})
			desk, err := a.desk(routing.New(a.register, a.roster, a.groups, a.persons.People), routing.Hears, true)
			if err != nil {
				return err
			}
			routes.Store(desk)
			a.routeDesk, a.people.Desk = desk, desk
			if a.clockDesk, err = a.nudged("clocks", a.clocks, a.clocks.Nudge); err != nil {
				return err
			}
		}
		routingv1.RegisterRoutingServiceServer(a.server, a.people)
	case qualification.Name:
		server := &qualification.Server{Log: a.log, Seals: a.keys, Clock: a.log.Clock(), Desk: closed{a.log}, Standing: qualification.InForce(a.log.Follower(), a.register), Version: qualification.VersionOf(a.log.Follower(), a.register), Records: a.log}
		if writable {
			desk, err := a.desk(qualification.New(a.register, a.scores, a.line, a.later), qualification.Hears, false)
			if err != nil {
				return err
			}
			a.qualDesk, server.Desk = desk, desk
		}
		qualificationv1.RegisterQualificationServiceServer(a.server, server)
	case delivery.Name:
		return a.startDelivery(ctx, writable)
	case intake.Name:
		return a.startIntake(ctx, writable)
	}
	return nil
}

// departments are the members of marketing and sales who work here now.
func (a *App) departments() []string {
	var out []string
	for _, handle := range a.roster.Names() {
		m := a.roster.Member(handle)
		both := slices.ContainsFunc(m.Roles, func(role string) bool {
			return slices.Contains([]string{access.Marketing, access.Sales, access.Qualifier, access.Manager}, role)
		})
		if both && !m.Deactivated {
			out = append(out, handle)
		}
	}
	return out
}

// nudged opens a desk that hears nothing: the fold nudges it when something became
// possible. nudge tells the fold whom to wake.
func (a *App) nudged(name string, d ledger.Decider, nudge func(func())) (*ledger.Desk, error) {
	return a.nudgedBy(name, d, nudge, ledger.DeskConfig{})
}

func (a *App) nudgedBy(name string, d ledger.Decider, nudge func(func()), cfg ledger.DeskConfig) (*ledger.Desk, error) {
	ctx, cancel := context.WithCancel(a.run)
	desk, err := a.log.Desk(ctx, d, cfg)
	if err != nil {
		cancel()
		return nil, err
	}
	nudge(desk.Nudge)
	desk.Nudge() // for what came while nobody was nudged
	a.undo(name, func(ctx context.Context) error {
		nudge(func() {})
		cancel()
		return wait(ctx, name, desk.Stopped())
	})
	return desk, nil
}

// desk opens a deciding service's desk; single = of several processes one works
// and the others stand by.
func (a *App) desk(d ledger.Decider, hears []string, single bool) (*ledger.Desk, error) {
	ctx, cancel := context.WithCancel(a.run)
	desk, err := a.log.Desk(ctx, d, ledger.DeskConfig{
		Durable: d.Service(), Subjects: hears, Single: single,
		Trace: func(id, parent string, began time.Time) (string, func(error)) {
			spanned, span := telemetry.StartProcess(telemetry.WithLead(ctx, id), parent, ledger.StreamLedger, d.Service())
			child := telemetry.Inject(spanned)
			if child == "" {
				child = parent
			}
			return child, func(err error) { telemetry.End(span, err) }
		},
	})
	if err != nil {
		cancel()
		return nil, err
	}
	stopLag := a.tel.Metrics().OnConsumerLag(ledger.StreamLedger, d.Service(), func() int64 {
		n, err := desk.Pending(ctx)
		if err != nil {
			return -1
		}
		return int64(n)
	})
	a.undo(d.Service(), func(ctx context.Context) error {
		stopLag()
		cancel()
		return wait(ctx, d.Service(), desk.Stopped())
	})
	return desk, nil
}

func wait(ctx context.Context, name string, stopped <-chan struct{}) error {
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s did not finish in time; what it held comes again", name)
	}
}

// background runs something until the process stops, and waits for it then.
func (a *App) background(name string, f func(context.Context)) {
	ctx, cancel := context.WithCancel(a.run)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	a.undo(name, func(stop context.Context) error {
		cancel()
		return wait(stop, name, done)
	})
}

func (a *App) startIntake(ctx context.Context, writable bool) error {
	door, err := a.log.Door()
	if err != nil {
		return err
	}
	a.undo("door", func(context.Context) error { door.Close(); return nil })
	domains, err := intake.LoadDomains(a.cfg.DisposableDomains, a.cfg.FreeDomains)
	if err != nil {
		return err
	}
	secrets := &intake.Secrets{Env: environ, Clock: a.cfg.clock}
	details := a.cfg.details
	if details == nil {
		details = &intake.Details{Secrets: secrets}
	}
	keep := &intake.Keep{Keys: a.keys, Door: door}
	intakev1.RegisterIntakeServiceServer(a.server, &intake.Server{
		Keep: keep, Log: a.log, Keys: a.keys, Sources: a.sources, Clock: a.log.Clock(),
		People: a.persons, Domains: domains,
		Accounts: a.accounts,
		Touches:  a.touches, Names: a.names, Draining: a.draining,
		Secrets: secrets, Register: a.register, PublicURL: a.cfg.PublicURL,
		Tally: a.tally, Acknowledged: &intake.Acknowledged{},
	})
	personv1.RegisterPersonServiceServer(a.server, &intake.PersonServer{Log: a.log, People: a.persons})
	if !writable {
		return nil
	}
	worker := &intake.Worker{
		Log: a.log, Keys: a.keys, Sources: a.sources, Register: a.register, People: a.persons, Domains: domains, Accounts: a.accounts,
		Touches: a.touches, Names: a.names, Held: a.held, Tally: a.tally, Keep: keep, Details: details, Logger: a.logger,
	}
	a.worker = worker
	run, cancel := context.WithCancel(a.run)
	if a.intakeDesk, err = a.log.Intake(run, worker.Handle); err != nil {
		cancel()
		return err
	}
	stopLag := a.tel.Metrics().OnConsumerLag(ledger.StreamIntake, intake.Name, func() int64 {
		n, err := a.intakeDesk.Pending(run)
		if err != nil {
			return -1
		}
		return int64(n)
	})
	stopAge := a.tel.Metrics().OnOldestUnworked(func() (time.Duration, bool) { return a.intakeDesk.OldestAge(), true })
	a.undo("intake", func(ctx context.Context) error {
		stopLag()
		stopAge()
		cancel()
		return wait(ctx, "intake", a.intakeDesk.Stopped())
	})
	a.background("held deliveries", worker.KeepReleasing)
	return nil
}

func (a *App) startFeedback(ctx context.Context, writable bool) error {
	url := a.cfg.SQLURL
	if url == "" {
		url = filepath.Join(a.cfg.Data, "read.db")
	}
	store, err := report.Open(ctx, url)
	if err != nil {
		return err
	}
	a.store, store.Working = store, a.working
	a.undo("read model", func(context.Context) error { return store.Close() })
	at, err := store.Attach(ctx, a.log.ID())
	if err != nil {
		return err
	}
	a.background("projection", func(ctx context.Context) { a.project(ctx, at) })
	outcomes := feedback.NewOutcomes(a.log, writer{a.log}, a.keys.Seal, a.log.Clock())
	outcomes.InForce, outcomes.Open, outcomes.Given = a.inForce, a.open, a.given
	if writable {
		if a.outcomeDesk, err = a.nudged("outcomes that wait", &feedback.Releaser{Waiting: a.waiting}, a.waiting.Nudge); err != nil {
			return err
		}
		outcomes.Imports(a.log, a.waiting)
	}
	outcomes.Targets(a.targets())
	if err := a.settleDisputes(outcomes, writable); err != nil {
		return err
	}
	if err := a.watchFigures(outcomes, writable); err != nil {
		return err
	}
	feedbackv1.RegisterFeedbackServiceServer(a.server, outcomes)
	reports := report.NewReports(store, events{a.log}, a, a.log.Clock())
	reports.Baseline, reports.Year, reports.Logger = a.baseline, a.year, a.logger
	reports.InForce, reports.Away = a.inForce, a.absences
	reports.Under, reports.Current, reports.History = a.under, a.persons.Current, a.log.History
	outcomes.Shows(&feedback.Evidence{Log: a.log, Answers: report.Answers, Read: reports.Evidence})
	a.undo("reports", func(context.Context) error { return reports.Close() })
	feedbackv1.RegisterReportServiceServer(a.server, reports)
	leads := report.NewLeads(store, a.log, a.open)
	leads.Current, leads.Clock = a.persons.Current, a.log.Clock()
	leads.InForce = func(at time.Time) (number int64, rules *agreement.Agreement) {
		a.log.Follower().View(func(v *ledger.View) {
			if at.IsZero() {
				at = v.Now
			}
			if version := a.register.InForce(at); version != nil {
				number, rules = version.Number, version.Agreement
			}
		})
		return number, rules
	}
	leadv1.RegisterLeadServiceServer(a.server, leads)
	return nil
}

// inForce is the version of the agreement in force at an instant; nil = none.
func (a *App) inForce(at time.Time) (version *agreement.Version) {
	a.log.Follower().View(func(*ledger.View) { version = a.register.InForce(at) })
	return version
}

// working is the working time between two instants by the calendar of a pool, in the
// agreement in force at the first.
func (a *App) working(pool string, from, to time.Time) (took time.Duration, known bool) {
	version := a.inForce(from)
	if version == nil {
		return 0, false
	}
	agreed, ok := version.Agreement.Pool(pool)
	if !ok {
		return 0, false
	}
	calendar, ok := version.Agreement.Calendar(agreed.Calendar)
	if !ok {
		return 0, false
	}
	return calendar.Between(from, to), true
}

// absences are when a member was or will be away.
func (a *App) absences(member string) (away []agreement.Span) {
	a.log.Follower().View(func(*ledger.View) { away = a.roster.Away(member) })
	return away
}

// baseline is the instant that the agreement in force names for reports to start at.
func (a *App) baseline() (at time.Time) {
	a.log.Follower().View(func(v *ledger.View) {
		if version := a.register.InForce(v.Now); version != nil {
			at, _ = version.Agreement.Baseline()
		}
	})
	return at
}

// year is how the agreement in force divides figures by time.
func (a *App) year() (y agreement.Year) {
	a.log.Follower().View(func(v *ledger.View) {
		if version := a.register.InForce(v.Now); version != nil {
			y = version.Agreement.Year()
		} else {
			y = (&agreement.Agreement{}).Year()
		}
	})
	return y
}

// project folds the log into the read model, for ever; what stops it is logged
// and tried again.
func (a *App) project(ctx context.Context, at uint64) {
	for ctx.Err() == nil {
		err := a.log.Project(ctx, at+1, func(ctx context.Context, events []*ledger.Event) error { return a.store.Apply(ctx, events) })
		if ctx.Err() != nil {
			return
		}
		a.logger.ErrorContext(ctx, "the read model does not follow the log; it is tried again", "error", err.Error())
		if clock.Sleep(ctx, clock.Real{}, time.Now().Add(time.Second)) != nil {
			return
		}
		if pos, err := a.store.Position(ctx); err == nil {
			at = pos
		}
	}
}

// open opens a lead's personal data.
func (a *App) open(ctx context.Context, leadID string, sealed *leadv1.Sealed) (*leadv1.PersonalData, error) {
	plain, err := a.keys.Open(ctx, sealed, []byte(leadID))
	if err != nil {
		return nil, err
	}
	out := &leadv1.PersonalData{}
	if err := proto.Unmarshal(plain, out); err != nil {
		return nil, fault.New(fault.Corrupt, "the personal data of the lead cannot be decoded")
	}
	return out, nil
}

// keepDays makes day keys ahead of their days and destroys them after their
// retention.
func (a *App) keepDays(ctx context.Context) error {
	keep := func(ctx context.Context) error {
		now := a.cfg.clock.Now()
		day := 24 * time.Hour
		if err := a.keys.EnsureDays(ctx, now, now.Add(time.Duration(a.cfg.keyDays)*day)); err != nil {
			return err
		}
		_, err := a.keys.DropDaysBefore(ctx, now.Add(-time.Duration(a.cfg.Retention)*day))
		return err
	}
	if err := keep(ctx); err != nil {
		return err
	}
	a.background("day keys", func(ctx context.Context) {
		for clock.Sleep(ctx, a.cfg.clock, a.cfg.clock.Now().Add(6*time.Hour)) == nil {
			if err := keep(ctx); err != nil && ctx.Err() == nil {
				a.logger.ErrorContext(ctx, "the keys of the coming days could not be kept", "error", err.Error())
			}
		}
	})
	return nil
}

func (a *App) serveGRPC(ctx context.Context) error {
	a.memory = bufconn.Listen(1 << 20)
	go func() { _ = a.server.Serve(a.memory) }()
	a.undo("grpc", func(ctx context.Context) error {
		done := make(chan struct{})
		go func() { a.server.GracefulStop(); close(done) }()
		select {
		case <-done:
		case <-ctx.Done():
			a.server.Stop()
		case <-time.After(3 * time.Second):
			// Streams that watch for ever do not end by themselves.
			a.server.Stop()
		}
		return nil
	})
	if a.cfg.GRPC != "-" {
		l, err := listen(ctx, a.cfg.GRPC, "gRPC")
		if err != nil {
			return err
		}
		a.GRPCAddr = l.Addr().String()
		go func() { _ = a.server.Serve(l) }()
	}
	conn, err := grpc.NewClient("passthrough:///baton", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return a.memory.DialContext(ctx) }), a.tel.DialOption())
	if err != nil {
		return err
	}
	a.conn = conn
	a.undo("grpc client", func(context.Context) error { return conn.Close() })
	return nil
}

// listen opens a listener and says whose it is when it cannot.
func listen(ctx context.Context, addr, what string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot listen for %s on %s; stop what is there or choose another address: %w", what, addr, err)
	}
	return l, nil
}

func (a *App) serveHTTP(ctx context.Context, name, addr string, srv *http.Server, limit int) (string, error) {
	if addr == "-" {
		return "", nil
	}
	l, err := listen(ctx, addr, name)
	if err != nil {
		return "", err
	}
	bound := l.Addr().String()
	if limit > 0 {
		l = intake.LimitConnections(l, limit)
	}
	srv.ErrorLog = slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug)
	go func() { _ = srv.Serve(l) }()
	a.undo(name, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			return srv.Close()
		}
		return nil
	})
	return bound, nil
}

func (a *App) serveConsole(ctx context.Context, directory access.Directory) error {
	conn, err := a.peers(ctx)
	if err != nil {
		return err
	}
	handler, err := console.New(console.Config{Conn: conn, Directory: directory, Logger: a.logger})
	if err != nil {
		return err
	}
	api, err := rest.New(ctx, conn)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	mux.Handle("/", handler)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return a.run }}
	a.ConsoleAddr, err = a.serveHTTP(ctx, "console", a.cfg.Console, srv, 0)
	return err
}

func (a *App) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.tel.MetricsHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := a.log.ReadOnly(); why != "" {
			http.Error(w, "read-only: "+why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	var err error
	a.MetricsAddr, err = a.serveHTTP(ctx, "metrics", a.cfg.Metrics, &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, 0)
	return err
}

// serveDoor opens the public door: for what comes in, and for the pages to which links in
// messages lead.
func (a *App) serveDoor(ctx context.Context) error {
	var hooks http.Handler = http.NotFoundHandler()
	if a.cfg.runs(intake.Name) {
		door, err := a.log.Door()
		if err != nil {
			return err
		}
		a.undo("public door", func(context.Context) error { door.Close(); return nil })
		allow, err := a.limits()
		if err != nil {
			return err
		}
		hooks = intake.NewDoor(intake.DoorConfig{
			Allow: allow, Sources: a.sources, Closed: func() bool { return a.log.ReadOnly() != "" }, Keep: &intake.Keep{Keys: a.keys, Door: door}, Secrets: &intake.Secrets{Env: environ, Clock: a.cfg.clock}, Clock: a.cfg.clock,
			PublicURL: a.cfg.PublicURL, SubmissionID: intake.Ids{Keys: a.keys}.Submission, Logger: a.logger, Metrics: doorMetrics{a.tel.Metrics()}, Trace: traceRequest, Waiting: door.Waiting,
		})
	}
	handler, err := a.answers(ctx, hooks)
	if err != nil {
		return err
	}
	a.HTTPAddr, err = a.serveHTTP(ctx, "public door", a.cfg.HTTP, intake.NewServer("", handler), 4096)
	return err
}

// limits are what the sources may send; nil = anything. Doors that have a Redis
// share them.
func (a *App) limits() (func(sourceID, address string) (time.Duration, bool), error) {
	bucket := intake.NewBucket(a.cfg.clock)
	if a.cfg.RedisURL != "" && len(a.cfg.Limits) > 0 {
		shared, err := intake.NewSharedBucket(a.cfg.RedisURL)
		if err != nil {
			return nil, err
		}
		a.undo("limits", func(context.Context) error { return shared.Close() })
		bucket = shared
	}
	limits, err := intake.NewLimits(a.cfg.Limits, bucket, a.cfg.clock, a.tel.Metrics().LimitUnknown)
	if limits == nil {
		return nil, err
	}
	return func(sourceID, _ string) (time.Duration, bool) {
		return limits.Allow(a.sources.ByID(sourceID).GetName())
	}, nil
}

// traceRequest opens the span in which a webhook arrives: the root of its lead.
func traceRequest(r *http.Request) (context.Context, string, func(int)) {
	ctx, span := telemetry.StartSpan(r.Context(), "POST /hooks/{source}", trace.SpanKindServer)
	return ctx, telemetry.Inject(ctx), func(status int) {
		var err error
		if status >= 500 {
			err = fault.New(fault.Unavailable, "answered %d", status)
		}
		telemetry.End(span, err)
	}
}

// Stop undoes the start, backwards: doors close, services finish what they
// hold, the log goes last but telemetry. It may be called twice.
func (a *App) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	var errs []error
	stops := a.stops
	a.stops = nil
	for i := len(stops) - 1; i >= 0; i-- {
		if err := stops[i].undo(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", stops[i].name, err))
		}
	}
	return errors.Join(errs...)
}

// Settle returns once nothing is left to do for anybody in this process.
func (a *App) Settle(ctx context.Context) error {
	var idle []func(context.Context) bool
	if a.intakeDesk != nil {
		idle = append(idle, a.intakeDesk.Idle, a.worker.Idle)
	}
	if a.qualDesk != nil {
		idle = append(idle, a.qualDesk.Idle)
	}
	if a.routeDesk != nil {
		idle = append(idle, a.routeDesk.Idle)
	}
	if a.outcomeDesk != nil {
		idle = append(idle, a.outcomeDesk.Idle, a.disputeDesk.Idle, a.checkDesk.Idle)
	}
	if a.scorer != nil {
		idle = append(idle, a.scorer.Idle)
	}
	if a.agreeDesk != nil {
		idle = append(idle, a.agreeDesk.Idle)
	}
	if a.clockDesk != nil {
		idle = append(idle, a.clockDesk.Idle)
	}
	if a.tellDesk != nil {
		idle = append(idle, a.tellDesk.Idle, a.teller.Idle)
	}
	return a.log.Settle(ctx, idle...)
}

// Read returns once the read model has folded all that is in the log.
func (a *App) Read(ctx context.Context) error {
	for {
		at, err := a.store.Position(ctx)
		if err != nil || at >= a.log.Follower().Pos() {
			return err
		}
		if err := clock.Sleep(ctx, clock.Real{}, time.Now().Add(time.Millisecond)); err != nil {
			return err
		}
	}
}

// Status says how the log and its consumers stand.
func (a *App) Status(ctx context.Context) (*feedbackv1.GetStatusResponse, error) {
	out := &feedbackv1.GetStatusResponse{LedgerSequence: a.log.Follower().Pos(), ReadOnly: a.log.ReadOnly()}
	if a.intakeDesk != nil {
		out.IntakeOldestMs = a.intakeDesk.OldestAge().Milliseconds()
	}
	for _, lag := range []struct {
		stream, service string
		to              *uint64
	}{
		{ledger.StreamIntake, intake.Name, &out.IntakePending},
		{ledger.StreamLedger, qualification.Name, &out.QualificationPending},
		{ledger.StreamLedger, routing.Name, &out.RoutingPending},
	} {
		var err error
		if *lag.to, err = a.log.Unworked(ctx, lag.stream, lag.service); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// members is the directory of the people's tokens. Where others write to the
// log as well, somebody may have been added a moment ago in another process: an
// unknown token waits for what the log holds by now, though not for each of a
// stranger's tries.
type members struct {
	people *routing.Server
	log    *ledger.Ledger
	waited atomic.Int64
}

// Lookup implements access.Directory.
func (m *members) Lookup(hash [32]byte) (access.Actor, bool) {
	actor, ok := m.people.Lookup(hash)
	now, last := time.Now().UnixNano(), m.waited.Load()
	if ok || !m.log.Shared() || now-last < int64(20*time.Millisecond) || !m.waited.CompareAndSwap(last, now) {
		return actor, ok
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.log.Fresh(ctx) != nil {
		return access.Actor{}, false
	}
	return m.people.Lookup(hash)
}

// writer lets feedback write about one lead.
type writer struct{ log *ledger.Ledger }

// Say implements feedback.Writer.
func (w writer) Say(ctx context.Context, decide func(*lead.State, uint64) ([]ledger.Draft, error), leadID string) (uint64, error) {
	if err := w.log.Fresh(ctx); err != nil {
		return 0, err
	}
	var seq uint64
	events, err := w.log.Write(ctx, "feedback", func(v *ledger.View) ([]ledger.Draft, error) {
		s, err := v.Lead(leadID)
		if err != nil {
			return nil, err
		}
		seq = v.Place(lead.SubjectOf(leadID)).Seq
		return decide(s, seq)
	})
	if len(events) > 0 {
		seq = events[len(events)-1].Seq
	}
	return seq, err
}

// observer counts what the log does.
type observer struct{ m *telemetry.Metrics }

func (o observer) EventWritten(_, typ string)   { o.m.EventsWritten(typ, 1) }
func (o observer) Conflict(service string)      { o.m.Conflict(service) }
func (o observer) DeadLetter(service, f string) { o.m.DeadLetter(service, f) }
func discard(f func()) func(context.Context) error {
	return func(context.Context) error { f(); return nil }
}

// speed measures how long leads take from receipt to their first offer. What
// had happened before this process started is not measured again.
type speed struct {
	m     *telemetry.Metrics
	live  atomic.Bool
	since map[string]time.Time
}

// Apply implements ledger.Fold.
func (s *speed) Apply(e *ledger.Event) {
	if !s.live.Load() {
		return
	}
	switch body := e.Body.(type) {
	case *leadv1.LeadReceived:
		if !body.GetHistorical() {
			s.since[e.Subject] = body.GetReceivedAt().AsTime()
		}
	case *leadv1.LeadRefused, *leadv1.LeadNurtured:
		delete(s.since, e.Subject)
	case *leadv1.LeadOffered:
		if received, ok := s.since[e.Subject]; ok {
			s.m.Assigned(e.Recorded.Sub(received))
			delete(s.since, e.Subject)
		}
	}
}

// doorMetrics counts what the door answers.
type doorMetrics struct{ m *telemetry.Metrics }

// Answered implements intake.Metrics.
func (d doorMetrics) Answered(_, outcome string, status int, took time.Duration) {
	d.m.Delivery(outcome)
	if status == http.StatusOK || status == http.StatusSeeOther {
		d.m.DoorAck(took)
	}
}

// closed refuses commands while the log takes nothing new.
type closed struct{ log *ledger.Ledger }

// Do implements qualification.Desk.
func (c closed) Do(context.Context, *ledger.Item) (uint64, error) {
	return 0, fault.New(fault.Corrupt, "the log is read-only: %s", c.log.ReadOnly())
}
