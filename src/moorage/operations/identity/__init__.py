"""The use cases of IAM: plain functions of a transaction, named after their actions.

What changes identities goes in this order: authorise everything; raise the account's epoch (`identities.touch`), which also
makes changes of one account take turns; look at what there is now; write. Authorising after the epoch was raised would let the
authoriser remember, under an epoch that may never be committed, what nobody wrote.
"""
