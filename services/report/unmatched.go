package report

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// mostNamed bounds how many values a remark names.
const mostNamed = 12

// unmatched remarks below a report that counted nothing which of the asked values no
// lead ever had, and which there are: a misspelt campaign is not a campaign that failed.
func (s *Store) unmatched(ctx context.Context, tx *sql.Tx, q Question, out *feedbackv1.Report) error {
	if out.GetTotal().GetCases() > 0 {
		return nil
	}
	for _, name := range sortedFilters(q.Where) {
		if !slices.Contains(dimensionNames, name) {
			continue // of the case, not of the lead
		}
		b := &query{}
		b.add("SELECT DISTINCT c." + name + " FROM (")
		b.cases(infoOf(reportFunnel), Question{Report: reportFunnel, Frame: frameCohort, AsOf: q.AsOf, Historical: true, Horizon: q.Horizon, Year: q.Year})
		b.add(") c ORDER BY 1")
		there, err := s.words(ctx, tx, b)
		if err != nil {
			return err
		}
		named := slices.DeleteFunc(slices.Clone(there), func(word string) bool { return word == noneKey })
		for _, value := range q.Where[name] {
			if slices.Contains(there, value) {
				continue
			}
			remark := fmt.Sprintf("No lead is of %s %q", name, value)
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
