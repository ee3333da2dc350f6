package report

import (
	"context"
	"strings"
)

// phrasesReport is about the words in which prospects speak of what they need.
func phrasesReport() *info {
	const all = "phrases in the latest feedback of each member on leads received in the period; with the frame activity, in feedback given in the period"
	s := &sheet{report: reportPhrases}
	s.add("leads", unitLeads, ownerMarketing, "different leads whose latest feedback holds the phrase; a lead with several phrases counts in several rows, and once in the total", all, measure{byDistinct, "lead_id", "TRUE"})
	s.count("mentions", unitPhrases, ownerMarketing, "times that a member noted the phrase, once for each lead", all, "TRUE")
	s.add("verticals", unitVerticals, ownerMarketing, "different verticals of these leads, as sales found them, or else as the lead said", all, measure{byDistinct, "vertical", "TRUE"})
	return &info{
		name: reportPhrases, text: "Phrases that prospects used, and in how many leads and verticals.",
		cases: "phrase", base: casesFeedback, own: []string{"phrase", "vertical"}, by: "phrase", metrics: s.metrics, work: workPhrases,
		population: func(Question) string {
			return ". One case is one phrase that a member noted of one lead; what each member said of a lead last counts. The vertical is the one that sales found, or else the industry that the lead named"
		},
	}
}

func workPhrases(ctx context.Context, w *working) error {
	var phrases, vertical string
	return w.read(ctx, ", c.phrases, CASE WHEN c.vertical = '' THEN c.industry ELSE c.vertical END", "", []any{&phrases, &vertical}, func(c *workedCase) error {
		if vertical == noneKey {
			vertical = ""
		}
		c.words["vertical"] = vertical
		for phrase := range strings.SplitSeq(phrases, "\n") {
			if phrase != "" {
				c.words["phrase"] = phrase
				w.say(c)
			}
		}
		return nil
	})
}
