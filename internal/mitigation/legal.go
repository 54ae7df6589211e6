package mitigation

// LegalWarning is what whoever decides on thresholds by group has to be told.
const LegalWarning = "Thresholds by group treat equal scores differently because of group membership. The law can call that disparate treatment, " +
	"whatever its aim: in the United States, section 106 of the Civil Rights Act of 1991 (42 U.S.C. 2000e-2(l)) forbids adjusting the scores of, or using " +
	"different cutoff scores for, employment related tests on the basis of race, color, religion, sex or national origin. Applying them also means " +
	"processing each person’s group when a decision is made; for special categories of personal data, such as ethnic origin or health, Article 9 of the " +
	"GDPR forbids that unless an exception applies, and Article 10(5) of the EU AI Act permits it for detecting and correcting bias in high-risk systems " +
	"under conditions only. Consult counsel before these thresholds decide about people."
