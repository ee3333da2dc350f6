package report

import "math"

// Figures of the reports that are by person.

func fairnessMetrics() []Metric {
	const (
		there  = "turns in the period at which the person was there"
		got    = "turns of the pool in the period that were the person's"
		books  = "turns in the period that the pool's rotation counts"
		allOf  = "all turns of the pool that its rotation counts, until the end of the period"
		change = "changes of the person's books in the period"
	)
	var out []Metric
	count := func(name, unit, formula, population string, of func(*turnBooks) int64) {
		out = append(out, Metric{
			Report: reportFairness, Name: name, Unit: unit, Owner: ownerSales, Formula: formula, Population: population,
			value: whole(func(t *tally) int64 { return of(&t.turns) }),
		})
	}
	number := func(name, formula, population string, of func(*turnBooks) float64) {
		out = append(out, Metric{
			Report: reportFairness, Name: name, Unit: unitNumber, Owner: ownerSales, Formula: formula, Population: population,
			value: func(t *tally) (float64, bool) {
				// What is left of adding up fractions is no lead.
				return math.Round(of(&t.turns)*1e9) / 1e9, t.turns != turnBooks{}
			},
		})
	}
	kind := func(name string, of func(*turnBooks) int64) {
		count("by_"+name, unitTurns, "turns of the kind "+name+" that were the person's", got, of)
		out = append(out, Metric{
			Report: reportFairness, Name: "by_" + name + "_share", Unit: unitRatio, Owner: ownerSales, Formula: "by_" + name + " divided by offered", Population: got,
			value: func(t *tally) (float64, bool) { return ratio(of(&t.turns), t.turns.offered) },
		})
	}
	count("eligible", unitTurns, "turns at which the person could have been given the lead", there, func(b *turnBooks) int64 { return b.eligible })
	count("offered", unitTurns, "turns that were the person's, of every kind: offers of a lead to them, each time it is offered", got, func(b *turnBooks) int64 { return b.offered })
	number("share", "sum over the turns of the person's weight divided by the weights of all who were there: what they would get on average where every turn went at random by weight", there, func(b *turnBooks) float64 { return b.share })
	number("ahead", "offered less share; below 0: behind", there, func(b *turnBooks) float64 { return float64(b.offered) - b.share })
	count("accepted", unitTurns, "of offered, the turns whose offer the person accepted", got, func(b *turnBooks) int64 { return b.accepted })
	count("declined", unitTurns, "of offered, the turns whose offer the person declined", got, func(b *turnBooks) int64 { return b.declined })
	count("timed_out", unitTurns, "of offered, the turns whose offer ran out", got, func(b *turnBooks) int64 { return b.timedOut })
	kind("rotation", func(b *turnBooks) int64 { return b.rotation })
	kind("ownership", func(b *turnBooks) int64 { return b.ownership })
	kind("override", func(b *turnBooks) int64 { return b.override })
	kind("credit", func(b *turnBooks) int64 { return b.credit })
	count("credits", unitLeads, "leads that the person is owed for bad ones", change, func(b *turnBooks) int64 { return b.credits })
	count("adjustments", unitLeads, "leads that the person is owed by calibration; below 0: that they are ahead", change, func(b *turnBooks) int64 { return b.adjustments })
	number("quota", "sum over the turns that the rotation counts of the person's weight divided by the weights of all with a share of the turn, those on leave whose share is kept among them", books, func(b *turnBooks) float64 { return b.quota })
	number("off_quota", "turns that the rotation counts and the person got, less quota and less what credits and adjustments changed in their books, also those of others; below 0: behind", books, func(b *turnBooks) float64 {
		return float64(b.counted) - b.quota - b.granted
	})
	number("off_quota_ever", "the same over the whole books of the pool", allOf, func(b *turnBooks) float64 { return b.ever })
	return identified(out)
}

func secondChanceMetrics() []Metric {
	const (
		tried = "leads received in the period that the person declined or gave back with a reason"
		taken = "of those, the leads that somebody else accepted afterwards"
	)
	count := func(name, formula, population string, of func(*chanceBooks) int64) Metric {
		return Metric{
			Report: reportSecondChance, Name: name, Unit: unitLeads, Owner: ownerSales, Formula: formula, Population: population,
			value: whole(func(t *tally) int64 { return of(&t.chance) }),
		}
	}
	out := []Metric{
		count("declined", "leads that the person declined, or gave back with a reason", tried, func(b *chanceBooks) int64 { return b.declined }),
		count("taken", "of these, leads that somebody else accepted afterwards and has had since", tried, func(b *chanceBooks) int64 { return b.taken }),
		count("sql", "of the leads taken, those that became SQL after they were declined", taken, func(b *chanceBooks) int64 { return b.sql }),
		count("won", "of the leads taken, those whose deal is won", taken, func(b *chanceBooks) int64 { return b.won }),
		{
			Report: reportSecondChance, Name: "value", Unit: unitMoney, Owner: ownerSales, Population: taken,
			Formula: "sum of the values of the won deals, in the currency's major unit; unknown where they are in several currencies, or in none",
			value: func(t *tally) (float64, bool) {
				return float64(t.chance.minor) / math.Pow10(max(t.chance.digits, 0)), t.chance.digits >= 0 && t.chance.declined > 0
			},
		},
	}
	out = append(out, rates(Metric{Report: reportSecondChance, Name: "taken_rate", Unit: unitRatio, Owner: ownerSales, Formula: "taken divided by declined", Population: tried},
		func(t *tally) (int64, int64) { return t.chance.taken, t.chance.declined })...)
	out = append(out, rates(Metric{Report: reportSecondChance, Name: "won_rate", Unit: unitRatio, Owner: ownerSales, Formula: "won divided by taken", Population: taken},
		func(t *tally) (int64, int64) { return t.chance.won, t.chance.taken })...)
	return identified(out)
}

func loadMetrics() []Metric {
	const had = "leads received in the period that somebody of sales has had"
	count := func(name, unit, formula string, of func(*loadBooks) int64) Metric {
		return Metric{
			Report: reportLoad, Name: name, Unit: unit, Owner: ownerSales, Formula: formula, Population: had,
			value: whole(func(t *tally) int64 { return of(&t.load) }),
		}
	}
	return identified([]Metric{
		count("with_leads", unitPeople, "1 for a person who has had at least one of the leads, and 0 for one who has had none; in the total, how many people have had one", func(b *loadBooks) int64 { return b.withLeads }),
		count("leads", unitLeads, "leads that the person has had at any time", func(b *loadBooks) int64 { return b.leads }),
		count("changes", unitLeads, "changes of owner by which a lead came to the person from somebody else; in the total, all changes of owner", func(b *loadBooks) int64 { return b.changes }),
		count("handed_on", unitLeads, "changes of owner by which a lead went from the person to somebody else", func(b *loadBooks) int64 { return b.handedOn }),
		count("open", unitLeads, "leads that the person has now and that are neither won nor lost", func(b *loadBooks) int64 { return b.open }),
		count("offers", unitLeads, "leads that are offered to the person and not answered", func(b *loadBooks) int64 { return b.offers }),
	})
}
