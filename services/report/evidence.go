package report

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Answers names the party that answers for a figure whose leads are not listed for
// everybody: "marketing", "sales" or "both". Of other figures there is no evidence to
// open, since anybody may list their leads.
func Answers(report, name string) (party string, err error) {
	_, metric, err := closedFigure(report, name)
	return metric.Owner, err
}

func closedFigure(report, name string) (*info, Metric, error) {
	r := infoOf(report)
	if r == nil || !r.closed {
		var closed []string
		for _, one := range reports {
			if one.closed {
				closed = append(closed, one.name)
			}
		}
		return nil, Metric{}, fault.New(fault.Invalid, "report: %q has no evidence that is kept apart; only %s has. What other figures counted lists baton report leads", report, strings.Join(closed, ", "))
	}
	metric, ok := find(r.metrics, strings.ReplaceAll(name, " ", "_"))
	if !ok || metric.measure.by != byCount {
		var counts []string
		for _, m := range r.metrics {
			if m.measure.by == byCount {
				counts = append(counts, m.Name)
			}
		}
		return nil, Metric{}, fault.New(fault.Invalid, "name: the report %s has no count %q; it has %s", report, name, strings.Join(counts, ", "))
	}
	return r, metric, nil
}

// Evidence answers the leads behind a figure of a report whose leads are not listed for
// everybody, with the events that they rest on. Whether the caller may read it, and that
// they did, is for whoever calls this.
func (r *Reports) Evidence(ctx context.Context, req *feedbackv1.OpenEvidenceRequest) (*feedbackv1.Evidence, error) {
	of, metric, err := closedFigure(req.GetQuestion().GetReport(), req.GetName())
	if err != nil {
		return nil, err
	}
	if r.History == nil {
		return nil, fault.New(fault.State, "this process reads no histories, so it has no evidence to show")
	}
	q, _, err := r.asked(ctx, req.GetQuestion())
	if err != nil {
		return nil, err
	}
	q.By = ""
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	out := &feedbackv1.Evidence{}
	var page []*feedbackv1.CountedLead
	var all map[string]*mql
	var checked *padded
	var person map[string]string
	err = r.on(ctx, q, func(s *Store) error {
		return s.snapshot(ctx, func(tx *sql.Tx) (err error) {
			if page, err = s.workedLeads(ctx, tx, of, q, metric.measure, ""); err != nil {
				return err
			}
			w := &working{measuring: &measuring{store: s, tx: tx, info: of}, q: q}
			if all, checked, err = w.padded(ctx); err != nil {
				return err
			}
			person, err = s.personOf(ctx, tx, q)
			return err
		})
	})
	if err != nil {
		return nil, r.store.fault("read", err)
	}
	page = slices.DeleteFunc(page, func(l *feedbackv1.CountedLead) bool { return l.GetLeadId() <= req.GetPageToken() })
	if len(page) > size {
		page = page[:size]
		out.NextPageToken = page[size-1].GetLeadId()
	}
	for _, l := range page {
		m := all[l.GetLeadId()]
		one := &feedbackv1.EvidenceLead{
			LeadId: m.lead, Findings: checked.of(m.lead), PersonId: person[m.lead], Source: m.source,
			OccurredAt: timestamppb.New(m.occurred), RecordedAt: timestamppb.New(m.recorded),
		}
		if one.Events, err = r.restsOn(ctx, m, checked.with[m.lead], all); err != nil {
			return nil, err
		}
		out.Leads = append(out.Leads, one)
	}
	return out, nil
}

// restsOn are the events by which a lead became an MQL, and those that made an MQL of its
// person before, in the order of the log.
func (r *Reports) restsOn(ctx context.Context, m *mql, with []string, all map[string]*mql) (out []*feedbackv1.EvidenceEvent, err error) {
	add := func(id string, wanted func(*ledger.Event) bool) error {
		events, err := r.History(ctx, lead.SubjectOf(id))
		if err != nil {
			return err
		}
		for _, e := range events {
			if wanted(e) {
				text := Sentence(e.Body)
				if id != m.lead {
					text = "Lead " + id + ": " + text
				}
				out = append(out, &feedbackv1.EvidenceEvent{
					Sequence: e.Seq, OccurredAt: timestamppb.New(e.Occurred), RecordedAt: timestamppb.New(e.Recorded), Actor: e.Actor, Text: text,
				})
			}
		}
		return nil
	}
	err = add(m.lead, func(e *ledger.Event) bool {
		switch e.Body.(type) {
		case *leadv1.LeadReceived, *leadv1.SubmissionRevised, *leadv1.LeadRemapped, *leadv1.TouchAdded, *leadv1.PersonAttached, *leadv1.CallRecorded, *leadv1.LeadQualified, *leadv1.LeadNurtured:
			return e.Seq <= m.seq
		}
		return false
	})
	for _, id := range with {
		if err == nil {
			err = add(id, func(e *ledger.Event) bool { return e.Seq == all[id].seq })
		}
	}
	slices.SortFunc(out, func(a, b *feedbackv1.EvidenceEvent) int { return cmp.Compare(a.GetSequence(), b.GetSequence()) })
	return out, err
}
