module github.com/leadbaton/baton/scripts/faults

go 1.26.0
