package report

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// counted lists what one figure of a report counted: the figure's own condition over
// the very cases, so that the list adds up to the figure.
func (s *Store) counted(ctx context.Context, q Question, name, key string, size int, after string) (*feedbackv1.ListReportLeadsResponse, error) {
	r := infoOf(q.Report)
	metric, ok := find(r.metrics, name)
	if !ok {
		// As a table shows it: accept rate, mean.
		read := strings.ReplaceAll(name, " ", "_")
		for _, unit := range []string{"", "_seconds", "_days"} {
			if metric, ok = find(r.metrics, read+unit); ok {
				break
			}
		}
	}
	switch {
	case ok && metric.restated && q.Definition == 0:
		return nil, fault.New(fault.Invalid, "definition: %s is of a re-statement; say under which version of the agreement", metric.ID)
	case !ok:
		return nil, fault.New(fault.Invalid, "name: the report %s has no figure %q; it has %s", q.Report, name, strings.Join(namesOf(r.metrics), ", "))
	case r.closed:
		return nil, fault.New(fault.Denied, "the leads behind the report %s are named to who answers for the figure alone, and that they read it is written down; baton report evidence %[1]s is for them", q.Report)
	case r.cases == "":
		return nil, fault.New(fault.Invalid, "name: the report %s does not list leads; ask %s by person, whose figures open, accepted and won do", q.Report, reportFunnel)
	case !metric.measure.listed():
		return nil, fault.New(fault.Invalid, "name: %s is not made of single leads; choose a count of the same report", metric.ID)
	case key == totalKey:
		key = ""
	}
	out := &feedbackv1.ListReportLeadsResponse{Unit: metric.Unit, OwnerIs: r.ownerIs()}
	if r.work != nil {
		return out, s.workedPage(ctx, r, q, metric.measure, key, size, after, out)
	}
	of, where := metric.measure.of, metric.measure.where
	if metric.measure.by == byCount || metric.measure.by == byShare {
		of = "1"
	}
	if metric.measure.by == byShare {
		where = "(" + metric.measure.where + ") AND (" + metric.measure.of + ")"
	}
	switch metric.measure.by {
	case bySum:
		where = "(" + where + ") AND (" + of + ") <> 0"
	case byMean, byMedian, byP90:
		where = "(" + where + ") AND (" + of + ") IS NOT NULL"
	}
	by, asked := q.By, q
	if timed(by) && key != "" {
		from, to, err := periodOf(q, key)
		if err != nil {
			return nil, err
		}
		q.From, q.To = later(q.From, from), earlier(q.To, to)
	}
	b := &query{}
	b.add("SELECT c.lead_id, MIN(c.state), MIN(c.received_at), " + fmt.Sprintf(s.dialect.each, "c.person") + ", SUM(" + of + ") * 1.0 FROM (")
	b.cases(r, q)
	b.add(") c WHERE (" + where + ") AND c.lead_id > ?")
	b.args = append(b.args, after)
	if key != "" && by != "" && !timed(by) {
		b.add(" AND c." + by + " = ?")
		b.args = append(b.args, key)
	}
	b.add(" GROUP BY c.lead_id ORDER BY c.lead_id LIMIT ?")
	b.args = append(b.args, size+1)
	list := func(tx *sql.Tx) error {
		minor := 1.0
		if metric.Unit == unitMoney {
			currency, err := s.currency(ctx, tx, r, asked)
			if err != nil {
				return err
			}
			digits, known := lead.MinorDigits(currency)
			if !known {
				return fault.New(fault.Invalid, "name: %s is in no currency, or in several, which are not added up; limit the report to leads of one", metric.ID)
			}
			minor, out.Currency = math.Pow10(digits), currency
		}
		rows, err := tx.QueryContext(ctx, s.dialect.places(b.text.String()), b.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			l := &feedbackv1.CountedLead{}
			var received instantColumn
			if err := rows.Scan(&l.LeadId, &l.State, &received, &l.Owner, &l.Value); err != nil {
				return err
			}
			l.ReceivedAt = timestamppb.New(time.Time(received))
			l.Owner = whose(l.Owner)
			l.Value /= minor
			out.Leads = append(out.Leads, l)
		}
		return rows.Err()
	}
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		_, sequence, err := s.position(ctx, tx)
		if err != nil {
			return err
		}
		return s.restating(ctx, tx, q, sequence, func() error { return list(tx) })
	})
	if err != nil {
		return nil, s.fault("read", err)
	}
	if len(out.Leads) > size {
		out.Leads = out.Leads[:size]
		out.NextPageToken = out.Leads[size-1].GetLeadId()
	}
	return out, nil
}

// ownerIs says what the person of a report's cases did; "with" = they have the lead.
func (r *info) ownerIs() string {
	kind := r.cases
	if r.base != "" {
		kind = r.base
	}
	switch kind {
	case casesRejections:
		return "rejected by"
	case casesAcceptances:
		return "accepted by"
	case casesFeedback:
		return "said by"
	case casesTouches:
		return "touched by"
	}
	return "with"
}

// whose are those of a lead's cases in their order, each once; nobody is none of them.
func whose(joined string) string {
	all := slices.DeleteFunc(strings.Split(joined, ","), func(one string) bool { return one == noneKey })
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

func find(metrics []Metric, name string) (Metric, bool) {
	for _, m := range metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

func namesOf(metrics []Metric) []string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = m.Name
	}
	return names
}

// timed says whether a dimension is one of time.
func timed(by string) bool { return slices.Contains(units, by) }

// periodOf reads the key of a row by time.
func periodOf(q Question, key string) (from, to time.Time, err error) {
	layout := map[string]string{"week": time.DateOnly, "month": "2006-01"}[q.By]
	if layout == "" {
		return q.Year.Bounds(key)
	}
	day, err := time.ParseInLocation(layout+" 15", key+" 12", q.Year.Zone)
	if err != nil {
		return from, to, fault.New(fault.Invalid, "key: %q is no %s; copy it from a row of the report", key, q.By)
	}
	from, to = q.Year.Begin(day, q.By)
	return from, to, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier is the one that comes first; zero = none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
