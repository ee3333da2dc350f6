package report

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// mostNamed bounds how many values a remark names.
const mostNamed = 12

// closedWords are all the values of the dimensions that nobody adds any to: another one is
// misspelt. What people name is held against what there is, by unmatched.
var closedWords = func() map[string][]string {
	w := map[string][]string{
		"nurtured": {"nurtured", "direct"}, "credit": {"credited", noneKey}, "consequence": {"next-person", "nurture", "disqualify", noneKey},
		"party": {agreement.Marketing, agreement.Sales, "system"}, "department": {agreement.Marketing, agreement.Sales},
		"finding": {agreement.Marketing, agreement.Sales, "agreement", "nobody", noneKey},
	}
	for _, band := range sizeBands {
		w["size"] = append(w["size"], band.name)
	}
	w["size"] = append(w["size"], noneKey)
	for n := range int32(len(leadv1.DisputeClaim_name)) {
		if n > 0 {
			w["claim"] = append(w["claim"], lead.ClaimWord(leadv1.DisputeClaim(n)))
		}
	}
	for _, r := range lead.Rulings() {
		w["verdict"] = append(w["verdict"], lead.VerdictWord(r.Verdict))
	}
	w["verdict"] = append(w["verdict"], noneKey)
	return w
}()

// unmatched remarks below a report that counted nothing which of the asked values no
// lead or no case ever had, and which there are: a misspelt campaign is not a campaign
// that failed.
func (m *measuring) unmatched(ctx context.Context, q Question, out *feedbackv1.Report) error {
	if out.GetTotal().GetCases() > 0 {
		return nil
	}
	for _, name := range sortedFilters(q.Where) {
		r, one := infoOf(reportFunnel), "No lead is of "
		if !slices.Contains(dimensionNames, name) {
			r, one = m.info, "Nothing here is of "
		}
		there, err := m.valuesOf(ctx, r, name, Question{
			Report: r.name, Frame: frameCohort, AsOf: q.AsOf, Historical: true, Horizon: q.Horizon, Year: q.Year, InForce: q.InForce, Away: q.Away, Viewer: q.Viewer,
		})
		if err != nil {
			return err
		}
		named := slices.DeleteFunc(slices.Clone(there), func(word string) bool { return word == noneKey })
		for _, value := range q.Where[name] {
			if slices.Contains(there, value) {
				continue
			}
			remark := fmt.Sprintf("%s%s %q", one, name, value)
			if len(named) > 0 {
				remark += "; there are " + strings.Join(named[:min(len(named), mostNamed)], ", ")
			}
			if len(named) > mostNamed {
				remark += " and others"
			}
			out.Remarks = append(out.Remarks, remark+".")
		}
	}
	return nil
}

// valuesOf are the values that a dimension has in the cases of a report, in their order.
func (m *measuring) valuesOf(ctx context.Context, r *info, name string, q Question) ([]string, error) {
	if r.work != nil && slices.Contains(r.own, name) {
		seen := map[string]bool{}
		err := m.work(ctx, q, func(c *workedCase) { seen[wordOrNone(c.words[name])] = true })
		return slices.Sorted(maps.Keys(seen)), err
	}
	b := &query{}
	b.add("SELECT DISTINCT c." + name + " FROM (")
	b.cases(r, q)
	b.add(") c ORDER BY 1")
	return m.store.words(ctx, m.tx, b)
}

// words are the values of a query of one column.
func (s *Store) words(ctx context.Context, tx *sql.Tx, b *query) (words []string, err error) {
	rows, err := tx.QueryContext(ctx, s.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var word string
		if err := rows.Scan(&word); err != nil {
			return nil, err
		}
		words = append(words, word)
	}
	return words, rows.Err()
}
