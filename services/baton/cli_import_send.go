package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// systemClients are the services of a running system that an import asks.
type systemClients struct {
	server        string
	intake        intakev1.IntakeServiceClient
	agreements    agreementv1.AgreementServiceClient
	qualification qualificationv1.QualificationServiceClient
	outcomes      feedbackv1.FeedbackServiceClient
	reports       feedbackv1.ReportServiceClient
	members       routingv1.RoutingServiceClient
}

func newSystemClients(c *call) *systemClients {
	return &systemClients{
		server: c.server, intake: intakev1.NewIntakeServiceClient(c.conn), agreements: agreementv1.NewAgreementServiceClient(c.conn),
		qualification: qualificationv1.NewQualificationServiceClient(c.conn), outcomes: feedbackv1.NewFeedbackServiceClient(c.conn),
		reports: feedbackv1.NewReportServiceClient(c.conn), members: routingv1.NewRoutingServiceClient(c.conn),
	}
}

// attempts is how often rows are sent before the import gives up. To send them
// again is harmless.
const attempts = 6

// passes says whether a fault passes by itself: a full disk that is being
// freed, a server that starts again, a call that took too long.
func passes(err error) bool {
	switch fault.Of(err) {
	case fault.Unavailable, fault.Full, fault.Conflict:
		return !errors.Is(err, context.Canceled)
	}
	return errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
}

// persist repeats what passes.
func (im *importer) persist(send func() error) error {
	delay := 100 * time.Millisecond
	for n := 1; ; n++ {
		err := send()
		if err == nil || !passes(err) || n == attempts {
			return err
		}
		if wait := im.pause(im.ctx, delay); wait != nil {
			return wait
		}
		delay *= 2
	}
}

// pace is how many rows one call carries: as many as the system answers in good
// time, so that no call runs into its limit while the system is busy.
type pace struct{ rows, most int }

const (
	// startsWith is what the first call carries.
	startsWith = 100
	// goodTime is what an answer may take before calls become smaller.
	goodTime = 5 * time.Second
)

func newPace(most int) pace {
	if most == 0 {
		most = mostRows
	}
	return pace{rows: min(startsWith, most), most: most}
}

// took learns from an answer.
func (p *pace) took(d time.Duration) {
	switch {
	case d > goodTime:
		p.failed()
	case d < goodTime/5:
		p.rows = min(p.rows*2, p.most)
	}
}

// failed learns from none.
func (p *pace) failed() { p.rows = max(p.rows/2, 1) }

// inCalls sends n rows in order, a part at a time.
func (im *importer) inCalls(n int, send func(from, to int) error) error {
	for from := 0; from < n; {
		var to int
		err := im.persist(func() error {
			to = min(n, from+im.pace.rows)
			began := time.Now()
			err := send(from, to)
			if err == nil {
				im.pace.took(time.Since(began))
			} else if passes(err) {
				im.pace.failed()
			}
			return err
		})
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// send sends rows and fills in what became of each.
func (im *importer) send(rows []waiting, answers []answer) error {
	var places []int
	for i, w := range rows {
		if w.no == nil {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return nil
	}
	switch im.kind.name {
	case kindLeads:
		return im.sendLive(rows, places, answers)
	case kindHistory:
		return im.inCalls(len(places), func(from, to int) error { return im.sendPast(rows, places[from:to], answers) })
	case kindOutcomes:
		return im.inCalls(len(places), func(from, to int) error { return im.sendOutcomes(rows, places[from:to], answers) })
	case kindOwners:
		return im.inCalls(len(places), func(from, to int) error { return im.sendOwners(rows, places[from:to], answers) })
	case kindActivities:
		return im.sendActivities(rows, places, answers)
	case kindPeople:
		return im.sendPeople(rows, places, answers)
	}
	return im.inCalls(len(places), func(from, to int) error { return im.sendAccounts(rows, places[from:to], answers) })
}

// answeredAll holds the number of answers against that of the questions.
func answeredAll(answers, rows int) error {
	if answers != rows {
		return fault.New(fault.Unknown, "the system answered for %d of %d rows", answers, rows)
	}
	return nil
}

func (im *importer) sendPast(rows []waiting, places []int, answers []answer) error {
	req := &intakev1.ImportHistoryRequest{Source: im.source}
	for _, i := range places {
		req.Rows = append(req.Rows, rows[i].message.(*intakev1.HistoryRow))
	}
	res, err := im.system.intake.ImportHistory(im.ctx, req)
	if err == nil {
		err = answeredAll(len(res.GetResults()), len(places))
	}
	if err != nil {
		return err
	}
	for n, r := range res.GetResults() {
		switch {
		case r.GetError() != "":
			answers[places[n]].no = &refusal{reason: r.GetError()}
		case r.GetDuplicate():
			answers[places[n]].fate = fateThere
		default:
			answers[places[n]].fate = fateNew
		}
	}
	return nil
}

// resolve answers which leads the rows are about and whether they are here, by
// the rows' places; nil where the system does not say.
func (im *importer) resolve(rows []waiting, places []int) (map[int]*intakev1.ResolvedLead, error) {
	out := map[int]*intakev1.ResolvedLead{}
	req := &intakev1.ResolveLeadsRequest{Source: im.source}
	var asked []int
	for _, i := range places {
		if rows[i].external != "" {
			req.ExternalIds, asked = append(req.ExternalIds, rows[i].external), append(asked, i)
		}
	}
	if len(asked) == 0 {
		return out, nil
	}
	var res *intakev1.ResolveLeadsResponse
	err := im.persist(func() (err error) {
		res, err = im.system.intake.ResolveLeads(im.ctx, req)
		return err
	})
	if fault.Is(err, fault.State) {
		return nil, nil // an older system
	}
	if err == nil {
		err = answeredAll(len(res.GetLeads()), len(asked))
	}
	if err != nil {
		return nil, err
	}
	for n, l := range res.GetLeads() {
		out[asked[n]] = l
	}
	return out, nil
}

// leadsOfRows is resolve for rows that make no sense without their leads.
func (im *importer) leadsOfRows(rows []waiting, places []int) (map[int]*intakev1.ResolvedLead, error) {
	leads, err := im.resolve(rows, places)
	if err == nil && leads == nil {
		err = fault.New(fault.State, "%s does not say which leads a source's ids stand for: it is another version of Baton", im.system.server)
	}
	return leads, err
}

func (im *importer) sendOutcomes(rows []waiting, places []int, answers []answer) error {
	return sendAbout(im, rows, places, answers,
		func(row *feedbackv1.OutcomeRow, lead string) { row.LeadId = lead },
		func(about []*feedbackv1.OutcomeRow) ([]*feedbackv1.OutcomeResult, error) {
			res, err := im.system.outcomes.ImportOutcomes(im.ctx, &feedbackv1.ImportOutcomesRequest{Source: im.source, Rows: about})
			return res.GetResults(), err
		})
}

// sendOwners records who had leads of the past. A row by which nothing changed is
// there already.
func (im *importer) sendOwners(rows []waiting, places []int, answers []answer) error {
	return sendAbout(im, rows, places, answers,
		func(row *feedbackv1.OwnerRow, lead string) { row.LeadId = lead },
		func(about []*feedbackv1.OwnerRow) ([]*feedbackv1.OwnerResult, error) {
			res, err := im.system.outcomes.ImportOwners(im.ctx, &feedbackv1.ImportOwnersRequest{BatchId: im.batchID(), Rows: about})
			return res.GetResults(), err
		})
}

// became is what the system answers for a row.
type became interface {
	GetOutcome() string
	GetText() string
}

// fates are the system's words for what became of a row; another word refuses it.
var fates = map[string]fate{
	"new": fateNew, "changed": fateNew, "recorded": fateNew, "waiting": fateWaiting, "repeat": fateThere, "there": fateThere,
}

// fillIn says what became of rows, in their order.
func fillIn[R became](answers []answer, places []int, results []R) error {
	if err := answeredAll(len(results), len(places)); err != nil {
		return err
	}
	for n, r := range results {
		fate, known := fates[r.GetOutcome()]
		if !known {
			answers[places[n]].no = &refusal{reason: r.GetText()}
			continue
		}
		answers[places[n]].fate = fate
	}
	return nil
}

// sendAbout sends rows that are about leads, once it is known about which.
func sendAbout[Row any, R became](im *importer, rows []waiting, places []int, answers []answer, about func(row Row, lead string), send func([]Row) ([]R, error)) error {
	leads, err := im.leadsOfRows(rows, places)
	if err != nil {
		return err
	}
	var all []Row
	for _, i := range places {
		row := rows[i].message.(Row)
		about(row, leads[i].GetLeadId())
		all = append(all, row)
	}
	results, err := send(all)
	if err != nil {
		return err
	}
	return fillIn(answers, places, results)
}

// batchID names what a file brings; the same file has the same name when it is
// imported again.
func (im *importer) batchID() string {
	return "import-" + digest(fmt.Appendf(nil, "%s\x00%s\x00%d", im.source, filepath.Base(im.path), im.file.size))[:16]
}

// sendActivities records touches. The door does not look whether one is new.
func (im *importer) sendActivities(rows []waiting, places []int, answers []answer) error {
	leads, err := im.leadsOfRows(rows, places)
	if err != nil {
		return err
	}
	together, ctx := errgroup.WithContext(im.ctx)
	for _, i := range places {
		req := rows[i].message.(*intakev1.RecordTouchRequest)
		req.Touch.LeadId = leads[i].GetLeadId()
		together.Go(func() error {
			return im.one(&answers[i], fateUnsure, func() error {
				_, err := im.system.intake.RecordTouch(ctx, req)
				return err
			})
		})
	}
	return together.Wait()
}

// one sends one row. What the system refuses for good is rejected.
func (im *importer) one(a *answer, fate fate, send func() error) error {
	err := im.persist(send)
	switch {
	case fault.Is(err, fault.Invalid):
		a.no = &refusal{reason: err.Error()}
	case err != nil:
		return err
	default:
		a.fate = fate
	}
	return nil
}

// sendPeople makes people known, one after the other, and says where they work. Who is
// known already stays as they are, and is placed where the row says otherwise.
func (im *importer) sendPeople(rows []waiting, places []int, answers []answer) error {
	list, err := im.system.members.ListMembers(im.ctx, &routingv1.ListMembersRequest{})
	if err != nil {
		return err
	}
	known := map[string]*routingv1.Member{}
	for _, m := range list.GetMembers() {
		known[m.GetMember()] = m
	}
	for _, i := range places {
		req := rows[i].message.(*routingv1.AddMemberRequest)
		there, fate := known[req.GetMember()], fateNew
		if there != nil {
			fate = fateThere
		}
		err := im.one(&answers[i], fate, func() error {
			if there == nil {
				added, err := im.system.members.AddMember(im.ctx, req)
				if err != nil {
					return err
				}
				if err := im.tokens.add(req.GetMember(), added.GetToken()); err != nil {
					return err
				}
				there = &routingv1.Member{Member: req.GetMember()}
				known[req.GetMember()] = there
			}
			return im.placed(there, rows[i].place)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// placed says where somebody works, unless they work there already. Place is nil where the
// row does not say.
func (im *importer) placed(m *routingv1.Member, place *routingv1.PlaceMemberRequest) error {
	if place == nil || place.GetFrom() == nil && m.GetTeam() == place.GetTeam() && m.GetManager() == place.GetManager() && m.GetOffice() == place.GetOffice() {
		return nil
	}
	if _, err := im.system.members.PlaceMember(im.ctx, place); err != nil {
		return err
	}
	m.Team, m.Manager, m.Office = place.GetTeam(), place.GetManager(), place.GetOffice()
	return nil
}

func (im *importer) sendAccounts(rows []waiting, places []int, answers []answer) error {
	req := &intakev1.DeclareAccountsRequest{}
	for _, i := range places {
		req.Accounts = append(req.Accounts, rows[i].message.(*intakev1.AccountRow))
	}
	res, err := im.system.intake.DeclareAccounts(im.ctx, req)
	if err != nil {
		return err
	}
	return fillIn(answers, places, res.GetResults())
}
