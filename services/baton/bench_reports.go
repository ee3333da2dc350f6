package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/qualification"
	"github.com/leadbaton/baton/services/report"
)

const (
	// pastID names the log of a past.
	pastID = "bench"
	// pastKept is how many of the last events come while the read model is rebuilt.
	pastKept = 200
	// lookEvery is how often somebody looks at what is being rebuilt.
	lookEvery = 2 * time.Millisecond
)

// benchReports measures the read model: folding a year of leads, and each question that
// is asked of it.
func benchReports(ctx context.Context, b *bench) (*measured, error) {
	log, err := newPastYear(b.leads)
	if err != nil {
		return nil, err
	}
	m := &measured{Title: fmt.Sprintf("a year with %s leads and %s events in the read model", grouped(int64(b.leads)), grouped(int64(log.length)))} // #nosec G115 -- a count
	all, err := b.databases(ctx)
	if err != nil {
		return nil, err
	}
	for round := range b.rounds {
		for _, d := range all {
			if err := b.readModel(ctx, m, d, log, round); err != nil {
				return nil, fmt.Errorf("%s: %w", d.name, err)
			}
			if err := d.drop(ctx); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// asking is the read model of one round, full.
type asking struct {
	*bench
	m       *measured
	d       *database
	log     *pastYear
	store   *report.Store
	reports *report.Reports
	round   int
	// count counts the leads; before each question it is timed.
	count  func() error
	counts []float64
	// slowest is the longest that a report took, not split, in ms.
	slowest float64
}

func (b *bench) readModel(ctx context.Context, m *measured, d *database, log *pastYear, round int) (err error) {
	store, err := report.Open(ctx, d.address)
	if err != nil {
		return err
	}
	a := &asking{bench: b, m: m, d: d, log: log, store: store, round: round}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := store.Attach(ctx, pastID); err != nil {
		return err
	}
	if err := a.fold(ctx); err != nil {
		return err
	}
	store.Working = log.working
	a.reports = report.NewReports(store, log, nil, clock.NewVirtual(log.ends()))
	a.reports.InForce, a.reports.Under = log.inForce, log.under
	defer func() { err = errors.Join(err, a.reports.Close()) }()
	if err := a.ask(ctx); err != nil {
		return err
	}
	return a.rebuild(ctx)
}

// under judges leads under a version of the agreement.
func (p *pastYear) under(number int64) report.Judge {
	if number < 1 || number > int64(len(p.versions)) {
		return nil
	}
	rules := p.versions[number-1].Agreement
	return func(f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage {
		return qualification.StageBy(rules, number, f, calls)
	}
}

// fold fills the read model, but for what comes last, and says how fast; beside plain
// rows of the same size.
func (a *asking) fold(ctx context.Context) error {
	until := a.log.length - min(a.log.length/2, pastKept)
	a.say("reports", a.round, a.d.name+": folding")
	stop := func() {}
	if a.d.driver == "sqlite" {
		stop = a.profile(a.round)
	}
	f, err := batches(ctx, a.log, until, func(events []*ledger.Event) error { return a.store.Apply(ctx, events) })
	stop()
	if err != nil {
		return err
	}
	size, err := a.d.size(ctx)
	if err != nil {
		return err
	}
	a.say("reports", a.round, a.d.name+": plain rows")
	plain, err := a.d.plain(ctx, a.log, until, int(size/f.events))
	if err != nil {
		return err
	}
	a.add("plain", "a row of the same size for each event, plainly inserted", "events/s", "plain", plain.perSecond())
	a.add("folded", fmt.Sprintf("folding, %s events to a transaction", grouped(foldedAtOnce)), "events/s", "plain", f.perSecond())
	a.add("plain-cpu", "processor: a plain row", "us each", "plain-cpu", plain.cpuEach())
	a.add("folded-cpu", "processor: folding", "us each", "plain-cpu", f.cpuEach())
	a.add("plain-longest", "the longest transaction of plain rows", "ms", "plain-longest", ms(plain.longest))
	a.add("longest", "the longest transaction of folding", "ms", "plain-longest", ms(f.longest))
	a.add("size", "the read model's tables, for each event", "bytes", "", size/f.events)
	if f.memory > 0 && a.d.driver == "sqlite" {
		a.add("memory", "memory while folding (RSS), the most that was seen", "MiB", "", f.memory)
	}
	a.m.want(fmt.Sprintf("%s: folding an event takes at most 4 x inserting a row of the same size", a.d.name), 0, 4, quotient(plain.perSecond(), f.perSecond()))
	return nil
}

// add appends a figure of this database.
func (a *asking) add(key, text, unit, base string, value float64) {
	if base != "" {
		base = a.d.name + "-" + base
	}
	a.m.add(a.d.name+"-"+key, a.d.name+": "+text, unit, base, value)
}

// time says what one question takes, after counting the leads.
func (a *asking) time(key, text string, f func() error) error {
	a.say("reports", a.round, a.d.name+": "+text)
	if a.count != nil {
		began := time.Now()
		if err := a.count(); err != nil {
			return err
		}
		a.counts = append(a.counts, ms(time.Since(began)))
	}
	began, before := time.Now(), cpuTime()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	took, spent := ms(time.Since(began)), ms(cpuTime()-before)
	a.add(key, text, "ms", "count", took)
	figure := a.m.figure(a.d.name + "-" + key)
	figure.Spent = append(figure.Spent, spent)
	return nil
}

// ask asks every question.
func (a *asking) ask(ctx context.Context) (err error) {
	db, err := a.d.open(filepath.Base(a.d.address))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var counted int64
	a.count = func() error {
		return db.QueryRowContext(ctx, "SELECT COUNT(*) FROM leads WHERE state <> 'refused' AND NOT historical").Scan(&counted)
	}
	defer func() { a.count = nil }()
	if err := a.count(); err != nil { // once, to open it
		return err
	}
	list, err := a.reports.ListMetrics(ctx, &feedbackv1.ListMetricsRequest{})
	if err != nil {
		return err
	}
	get := func(key, text string, req *feedbackv1.GetReportRequest) error {
		return a.time(key, text, func() error {
			out, err := a.reports.GetReport(ctx, req)
			if err == nil && key == "funnel" && int64(out.GetTotal().GetFigures()[0].GetValue()) != counted {
				err = fault.New(fault.Corrupt, "the funnel counts %v leads, and there are %d", out.GetTotal().GetFigures()[0].GetValue(), counted)
			}
			return err
		})
	}
	half := timestamppb.New(pastBegins.AddDate(0, 6, 0))
	for _, r := range list.GetReports() {
		name := r.GetReport()
		if err := get(name, name, plainly(name)); err != nil {
			return err
		}
		values := a.m.figure(a.d.name + "-" + name).Values
		a.slowest = max(a.slowest, values[len(values)-1])
		if slices.Contains(r.GetDimensions(), "source") {
			if err := get(name+"-by", name+" --by source", &feedbackv1.GetReportRequest{Report: name, By: "source"}); err != nil {
				return err
			}
		}
		past := plainly(name)
		past.AsOf = half
		if err := get(name+"-as-of", name+" --as-of half a year", past); err != nil {
			return err
		}
	}
	for _, q := range []struct {
		key, text string
		req       *feedbackv1.GetReportRequest
	}{
		{"activity", "funnel --frame activity --by source", &feedbackv1.GetReportRequest{Report: "funnel", By: "source", Frame: "activity"}},
		{"week", "funnel --by week", &feedbackv1.GetReportRequest{Report: "funnel", By: "week"}},
		{"activity-week", "funnel --frame activity --by week", &feedbackv1.GetReportRequest{Report: "funnel", By: "week", Frame: "activity"}},
		{"where", "funnel --where campaign=… --by person", &feedbackv1.GetReportRequest{Report: "funnel", By: "person", Where: []string{"campaign=campaign-07"}}},
		{"quarter", "funnel of one quarter --by source", &feedbackv1.GetReportRequest{Report: "funnel", By: "source", From: half, To: timestamppb.New(half.AsTime().AddDate(0, 3, 0))}},
		{"definition", "funnel --definition 2, asked for the first time", &feedbackv1.GetReportRequest{Report: "funnel", Definition: 2}},
		{"definition-again", "funnel --definition 2 --by source, asked again", &feedbackv1.GetReportRequest{Report: "funnel", Definition: 2, By: "source"}},
		{"known", "funnel --known-at half a year, asked for the first time", &feedbackv1.GetReportRequest{Report: "funnel", KnownAt: half}},
		{"known-again", "funnel --known-at half a year --by source, asked again", &feedbackv1.GetReportRequest{Report: "funnel", KnownAt: half, By: "source"}},
	} {
		if err := get(q.key, q.text, q.req); err != nil {
			return err
		}
	}
	if err := a.list(ctx); err != nil {
		return err
	}
	a.m.want(fmt.Sprintf("%s: a report takes at most 50 x counting the leads", a.d.name), 0, 50, quotient(a.slowest, median(a.counts)))
	a.add("count", "counting the leads, once before each question", "ms", "count", median(a.counts))
	return nil
}

// plainly is a report with nothing more said than it needs.
func plainly(name string) *feedbackv1.GetReportRequest {
	out := &feedbackv1.GetReportRequest{Report: name}
	if name == "effect" {
		out.Campaign, out.Launched = "campaign-07", timestamppb.New(pastBegins.AddDate(0, 2, 0))
	}
	return out
}

// list asks which leads a figure counted, and for all rows of a view.
func (a *asking) list(ctx context.Context) error {
	for _, q := range []struct{ key, report, name, value string }{
		{"drill", "funnel", "accepted", "web"}, {"drill-worked", "sla", "breached", "take"},
	} {
		page := &feedbackv1.ListReportLeadsRequest{Report: q.report, Name: q.name, Key: q.value, Question: &feedbackv1.GetReportRequest{By: map[string]string{"funnel": "source", "sla": ""}[q.report]}}
		err := a.time(q.key, fmt.Sprintf("the first page of leads of %s.%s", q.report, q.name), func() error {
			out, err := a.reports.ListReportLeads(ctx, page)
			page.PageToken = out.GetNextPageToken()
			return err
		})
		if err != nil {
			return err
		}
	}
	return a.time("export", "export of v_leads, all rows", func() error {
		out := &exported{ctx: ctx}
		if err := a.reports.ExportView(&feedbackv1.ExportViewRequest{View: "v_leads"}, out); err != nil {
			return err
		}
		if out.rows != a.leads {
			return fault.New(fault.Corrupt, "%d of %d leads were exported", out.rows, a.leads)
		}
		return nil
	})
}

// exported counts what is exported.
type exported struct {
	grpc.ServerStream
	ctx  context.Context
	rows int
}

func (e *exported) Context() context.Context { return e.ctx }

func (e *exported) Send(part *feedbackv1.ExportViewResponse) error {
	e.rows += len(part.GetRows())
	return nil
}

// cutYear is a past of which the last is still to come.
type cutYear struct {
	*pastYear
	last uint64
}

// Last implements report.Records.
func (c cutYear) Last(context.Context) (uint64, error) { return c.last, nil }

// rebuild folds the read model anew, while somebody looks at it and the last events
// come, and says how long those had to wait.
func (a *asking) rebuild(ctx context.Context) error {
	a.say("reports", a.round, a.d.name+": rebuild")
	have, err := a.store.Position(ctx)
	if err != nil {
		return err
	}
	var last []*ledger.Event
	if err := a.log.Read(ctx, have+1, a.log.length, func(e *ledger.Event) error { last = append(last, e); return nil }); err != nil {
		return err
	}
	again := report.NewReports(a.store, cutYear{a.log, have}, nil, clock.NewVirtual(a.log.ends()))
	var ended atomic.Bool
	var looked, came time.Duration
	beside := make(chan error, 2)
	repeat := func(most *time.Duration, f func() error) {
		var err error
		for !ended.Load() && err == nil {
			began := time.Now()
			err = f()
			*most = max(*most, time.Since(began))
			pauseUntil(ctx, time.Now().Add(lookEvery))
		}
		beside <- err
	}
	go repeat(&looked, func() error { _, err := a.store.Position(ctx); return err })
	next := 0
	go repeat(&came, func() error {
		// The very last comes again and again, which changes nothing.
		next = min(next+1, len(last))
		return a.store.Apply(ctx, last[next-1:next])
	})
	err = a.time("rebuild", "rebuild", func() error { return again.Rebuild(&feedbackv1.RebuildRequest{}, &retold{ctx: ctx}) })
	ended.Store(true)
	err = errors.Join(err, <-beside, <-beside, again.Close())
	if err != nil {
		return err
	}
	a.add("rebuild-looked", "the longest that a small question waited meanwhile", "ms", "", ms(looked))
	a.add("rebuild-came", "the longest that an event waited meanwhile to be folded", "ms", "", ms(came))
	if err := a.store.Apply(ctx, last[next:]); err != nil {
		return err
	}
	if at, err := a.store.Position(ctx); err != nil || at != a.log.length {
		return errors.Join(err, fault.New(fault.Corrupt, "%d of %d events are folded after a rebuild", at, a.log.length))
	}
	return nil
}

// retold hears how far a rebuild is.
type retold struct {
	grpc.ServerStream
	ctx context.Context
}

func (r *retold) Context() context.Context { return r.ctx }

// Send implements grpc.ServerStreamingServer.
func (*retold) Send(*feedbackv1.RebuildResponse) error { return nil }
