package report

// limitsOf are the things a reviewer could take this page to say, and that it does not.
func limitsOf(d Dossier) []string {
	limits := []string{
		"All figures describe the test data. People and circumstances that are missing from it, or that change later, are not described.",
		"An interval covers the chance in drawing the test cases. It does not cover wrong labels, a biased selection of cases, or a world that has changed.",
		"A condition is answered by comparing the measured value with its bound. Where the bound lies inside the interval, other test data could have given the other answer.",
		"The more candidates are measured on the same test data, the less it proves. This page does not say how often this test data was used.",
		"The labels are taken as the truth. If past decisions were unfair, a model that repeats them looks accurate.",
		"Groups were compared one protected column at a time, not their combinations, and only the columns the spec names.",
		"Importance is not cause. That a column matters little does not show that the model ignores what it stands for.",
		"k-anonymity is about the rows of the data. It does not measure what the model itself could reveal about the people it was trained on.",
	}
	if d.Training.Program != nil {
		limits = append(limits, "The program that trained the model is the requester’s own. What ran is recorded, but Assay did not review what its code does, and what the program reported of its training was not checked.")
	}
	if d.Champion == nil {
		limits = append(limits, "There was no serving version to compare with, so this page cannot say whether the candidate is better than what is done today.")
	} else {
		limits = append(limits, "The candidate was judged by itself. Whether it is better than the version that serves was not tested.")
	}
	return append(limits, "It does not say whether the purpose is right, lawful or wanted. That is what you are asked.")
}
