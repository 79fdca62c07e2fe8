"""The router: leads in, one rep each out; tells the rep, and takes the rep's answer.

In the order that data takes: configuration/ (what runs), routing/ (leads and reassignment requests in, assignments
out), deliveries/ (webhooks to reps and managers), answers/ (what reps say), terms/ (what was promised for an assignment
changes), privacy/ (leads are erased and exported). domain/ decides.
Operators steer it with command_line/.
"""
